"""`citynode audit`: who did what to what, and when."""

from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows

app = typer.Typer(help="Audit log: who did what, and when.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    return


@app.command("list")
def list_(
    subject: Annotated[str | None, typer.Option(help="Only what was done to this node, person, ...")] = None,
    rows: Annotated[int, typer.Option("-n", min=1, help="The newest so many entries.")] = 50,
    data: Data = None,
    json: Json = False,
) -> None:
    """List what was done, the newest first."""
    from device_manager import settings
    from device_manager.fleet import open_fleet
    from device_manager.overview import iso

    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        entries = fleet.audit.entries(limit=rows, subject=subject)
    if json:
        print_json([{**entry._asdict(), "at": iso(entry.at_ms / 1000)} for entry in entries])
        return
    cells = [(e.number, iso(e.at_ms / 1000), e.actor, e.role, e.action, e.subject, e.before, e.after) for e in entries]
    print_rows(("number", "at", "who", "role", "action", "subject", "before", "after"), cells)
