"""`citynode serve`: run the manager."""

from typing import Annotated

import typer

from device_manager.cli.output import Data


def serve(
    log: Annotated[str, typer.Option(help="How the log is written: text, or json for a log store.")] = "text",
    brain: Annotated[bool, typer.Option("--brain", help="Leave taking readings in to `citynode ingest`.")] = False,
    part: Annotated[
        list[str] | None, typer.Option(help="Only this part: broker, brain or web; may be given more than once.")
    ] = None,
    data: Data = None,
) -> None:
    """Run the manager until Ctrl-C or SIGTERM.

    It supervises the broker, takes in readings and tells nodes what is safe.
    """
    from device_manager import app, settings
    from device_manager.cli.logs import WAYS, configure
    from device_manager.errors import UsageError

    if log not in WAYS:
        raise UsageError(expected=" or ".join(WAYS), got=repr(log), todo="see `citynode serve --help`")
    for unknown in set(part or ()) - set(app.PARTS):
        raise UsageError(expected=" or ".join(app.PARTS), got=repr(unknown), todo="see `citynode serve --help`")
    configure(log)
    alone = bool(part) and part != list(app.PARTS)
    app.serve(settings.load(data or settings.default_directory()), brain=brain or alone, parts=part or app.PARTS)
