"""The command `citynode`: parse, call one service, show. One file for each group of commands.

A person meets one line for each thing that goes wrong; the exit code is 2 for a wrong call or an unfit machine, 1 for a
failure on the way, 130 after Ctrl-C. What commands there are stands in `lazy.py`; services are imported inside the
commands, so that `--help` stays fast.
"""

import os
import sys
from typing import Annotated

import typer
from typer import TyperException

from device_manager.cli.lazy import LazyGroup
from device_manager.cli.output import say
from device_manager.errors import CitynodeError

app = typer.Typer(
    name="citynode",
    cls=LazyGroup,
    help="Sensor nodes of a city: their manager, and a fleet of virtual nodes to try it with.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # drawing the help with rich costs 0.3 s
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"citynode {version('citynode')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    return


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        sys.exit(typer.main.get_command(app).main(prog_name="citynode", standalone_mode=False))
    except CitynodeError as error:
        _leave(str(error), error.exit_code)
    except TyperException as error:
        _leave_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe (head) has enough. What is still buffered goes nowhere, or Python complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _leave(f"{error.strerror or error}{where}; check that you may read and write there, and that space is left", 1)


def _leave_usage(error: TyperException) -> None:
    context = getattr(error, "ctx", None)
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if context is not None and message == context.get_help():  # a group was called without a command
        print(message, file=sys.stderr)
        sys.exit(2)
    command = context.command_path if context else "citynode"
    _leave(f"{' '.join(message.split()).rstrip('.')}; see `{command} --help`", 2)


def _leave(message: str, code: int) -> None:
    say(f"citynode: {message}")
    sys.exit(code)
