"""`citynode export`: the register as files."""

from pathlib import Path
from typing import Annotated

import typer

from device_manager.cli.output import Data


def export(
    directory: Annotated[Path, typer.Argument(help="Where the files go; those of what is gone are removed.")],
    csv: Annotated[bool, typer.Option("--csv", help="Four CSV files instead of a TOML file for each thing.")] = False,
    data: Data = None,
) -> None:
    """Write sites, nodes and groups as files that git can compare.

    `citynode apply` reads them back, here or into another data directory, without loss.
    """
    from device_manager import exchange, settings
    from device_manager.fleet import open_fleet

    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        names = exchange.export(fleet, directory, "csv" if csv else "toml")
    print(f"wrote {len(names)} files to {directory}")
