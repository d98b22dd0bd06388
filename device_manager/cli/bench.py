"""`citynode bench`: boards without hardware, to try provisioning with."""

import time
from pathlib import Path
from typing import Annotated

import typer

from device_manager.cli.output import Data, say


def bench(
    boards: Annotated[int, typer.Option(min=1, max=32, help="Number of blank boards.")] = 1,
    design: Annotated[str, typer.Option(help="What they are built as; see `citynode hardware list`.")] = "street",
    seconds: Annotated[float | None, typer.Option(min=0, help="End after that time; else Ctrl-C ends.")] = None,
    micropython: Annotated[Path | None, typer.Option(help="MicroPython's unix port, at least 1.25.")] = None,
    data: Data = None,
) -> None:
    """Run virtual boards: serial ports that answer esptool and mpremote, and become virtual nodes.

    Their MicroPython image is a stand-in that only they can run. `citynode provision` finds them.
    """
    from device_manager import app, settings
    from device_manager import bench as services

    chosen = settings.load(data or settings.default_directory())
    deadline_s = None if seconds is None else time.monotonic() + seconds
    with app.ended_by_signals() as ended, services.virtual_bench(chosen, boards, design, micropython) as running:
        for port in running.ports:
            say(f"virtual board on {port}")
        say(f"next: `citynode provision --all --site SITE --design {design}`; Ctrl-C switches the boards off")
        while not ended.wait(0.2) and (deadline_s is None or time.monotonic() < deadline_s):
            continue
