"""`citynode broker`: the broker that nodes connect to."""

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows

app = typer.Typer(help="The broker that nodes connect to.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Keep `check` a command of its own: typer would make the only command the group."""


@app.command()
def check(data: Data = None, json: Json = False) -> None:
    """Try whom the running broker lets in.

    Exit code 1 when somebody is let in who must not be.
    """
    from device_manager import app as services
    from device_manager import settings

    found = services.check_broker(settings.load(data or settings.default_directory()))
    if json:
        print_json([{**finding._asdict(), "ok": finding.ok} for finding in found])
    else:
        words = {True: "accepted", False: "refused"}
        rows = [(f.what, words[f.should], words[f.was], "ok" if f.ok else "WRONG", f.words) for f in found]
        print_rows(("tried", "expected", "got", "result", "the broker's words"), rows)
    if not all(finding.ok for finding in found):
        raise typer.Exit(1)
