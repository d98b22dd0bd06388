"""`citynode label`: what is stuck on the box."""

from pathlib import Path
from typing import Annotated

import typer

from device_manager.cli.output import Data, say
from device_manager.errors import UsageError


def label(
    nodes: Annotated[list[str] | None, typer.Argument(help="Ids of nodes; without any: all.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="File ending in .pdf (a sheet), .svg or .png.")] = Path(
        "labels.pdf"
    ),
    data: Data = None,
) -> None:
    """Print labels with site, id and QR code: one as SVG or PNG, or a sheet of many as PDF."""
    from device_manager import fleet as services
    from device_manager import settings
    from provisioning import label as labels

    with services.open_fleet(settings.load(data or settings.default_directory())) as fleet:
        views = [fleet.registry.node(name) for name in nodes] if nodes else fleet.registry.nodes()
    made = [labels.Label(v.name, v.site.name if v.site else "", v.site.title if v.site else "") for v in views]
    if not made or (out.suffix in (".svg", ".png") and len(made) != 1) or out.suffix not in (".svg", ".png", ".pdf"):
        todo = "name one node for .svg or .png; take .pdf for a sheet"
        raise UsageError(expected="labels for one file", got=f"{len(made)} for {out.name}", todo=todo)
    forms = {".pdf": lambda: labels.sheet(made), ".svg": lambda: labels.svg(made[0]).encode()}
    out.write_bytes(forms[out.suffix]() if out.suffix in forms else labels.png(made[0]))
    say(f"wrote {out}")
