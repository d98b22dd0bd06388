"""`citynode store`: the database and what is derived from it."""

from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, say

app = typer.Typer(help="Store: the database and what is derived.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    return


@app.command()
def rebuild(
    processes: Annotated[int, typer.Option(min=1, help="Processes that make roll-ups.")] = 2,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make everything derived anew from the frames; numbers that were given stay. The manager must not run."""
    from device_manager import app as services
    from device_manager import settings

    done = services.rebuild_series(settings.load(data or settings.default_directory()), processes, say)
    if json:
        print_json(done._asdict())
        return
    print(f"{done.nodes} nodes in {done.seconds:.1f} s: {done.numbers} new numbers, {done.chunks} chunks changed")
