"""`citynode load`: a load of simulated nodes."""

from pathlib import Path
from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json


def load(
    trace: Annotated[Path, typer.Option(help="CSV: a line of quantities, then whole numbers, a line a record.")],
    nodes: Annotated[int, typer.Option(min=1, help="How many nodes.")] = 1000,
    seconds: Annotated[float, typer.Option(help="For how long.")] = 60.0,
    frame_seconds: Annotated[int, typer.Option(min=1, help="Seconds between two frames of a node.")] = 600,
    outage_every: Annotated[float, typer.Option(help="Seconds between outages of a node; 0 is never.")] = 0.0,
    outage: Annotated[float, typer.Option(help="Seconds that an outage lasts.")] = 0.0,
    together: Annotated[bool, typer.Option("--together", help="All at once: a storm of backlog.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Load a broker with simulated nodes and say how it went.

    It registers `load-0000000` and so on in this data directory, so use one for the purpose.
    """
    from device_manager import loading_run, settings
    from device_manager.loading.swarm import Habits

    habits = Habits(frame_seconds, outage_every, outage, together)
    found = settings.load(data or settings.default_directory())
    report = loading_run.load(found, trace, nodes, seconds, habits)
    if json:
        print_json(report._asdict())
        return
    print(f"{nodes} nodes sent {report.sent} messages in {report.seconds:.1f} s, {report.again} of them again")
    print(f"{report.covered} of {report.made} records are covered by watermarks")
