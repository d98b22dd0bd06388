"""`citynode image`: MicroPython images for boards."""

from pathlib import Path
from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows

app = typer.Typer(help="MicroPython images that boards are flashed with.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="Image as downloaded, ending in .bin.", exists=True, dir_okay=False)],
    build: Annotated[str | None, typer.Option(help="MicroPython's name of the build, if the file was renamed.")] = None,
    data: Data = None,
) -> None:
    """Check an image and keep it with version, board and hash."""
    from device_manager import settings
    from provisioning import images

    made = images.add(settings.load(data or settings.default_directory()).directory, file, build)
    print(f"added MicroPython {made.version} for {made.build} ({made.chip}), sha256 {made.sha256[:16]}")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List images, and what to fetch for boards that have none."""
    from dataclasses import asdict

    from device_manager import settings
    from hardware import catalog
    from provisioning import images

    found = images.listed(settings.load(data or settings.default_directory()).directory)
    if json:
        print_json([asdict(image) for image in found])
        return
    rows: list[tuple[object, ...]] = [
        (i.build, i.chip, i.version, i.size, i.sha256[:16], "virtual" if i.stand_in else "") for i in found
    ]
    have = {image.build for image in found if not image.stand_in}
    missing = [board for board in catalog.boards().values() if images.BUILDS[board.name] not in have]
    rows += [(images.BUILDS[b.name], b.chip, None, None, None, f"fetch {images.wanted_file(b)}") for b in missing]
    print_rows(("build", "chip", "version", "bytes", "sha256", "note"), rows)
