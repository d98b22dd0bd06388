"""`citynode user`: the people who may sign in to the dashboard."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows

app = typer.Typer(help="People who may sign in to the dashboard.", no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Argument(help="Name of the person, as they sign in.")]
Role = Annotated[str, typer.Option(help="viewer, technician or admin.")]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def add(name: Name, role: Role = "viewer", password_stdin: Stdin = False, data: Data = None) -> None:
    """Add a person, and ask for their password."""
    from device_manager.fleet import local

    with _people(data) as people:
        people.add(name, role, _password(password_stdin), scope=local())
    print(f"added {name}, {role}")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List all people."""
    with _people(data) as people:
        rows = [{"name": p.name, "role": p.role} for p in people.all()]
    if json:
        print_json(rows)
        return
    print_rows(("name", "role"), [(r["name"], r["role"]) for r in rows])


@app.command()
def role(
    name: Name, role: Annotated[str, typer.Argument(help="viewer, technician or admin.")], data: Data = None
) -> None:
    """Give a person another role."""
    from device_manager.fleet import local

    with _people(data) as people:
        people.set_role(name, role, scope=local())
    print(f"{name} is {role} now")


@app.command()
def password(name: Name, password_stdin: Stdin = False, data: Data = None) -> None:
    """Give a person another password; they are signed out everywhere."""
    from device_manager.fleet import local

    with _people(data) as people:
        people.set_password(name, _password(password_stdin), scope=local())
    print(f"{name} has a new password")


@app.command()
def remove(name: Name, data: Data = None) -> None:
    """Remove a person; what they did stays in the audit log."""
    from device_manager.fleet import local

    with _people(data) as people:
        people.remove(name, scope=local())
    print(f"removed {name}")


def _people(data: Path | None):  # type: ignore[no-untyped-def]  # the type would load what every command would pay for
    from device_manager import settings
    from device_manager.front_desk import open_people

    return open_people(settings.load(data or settings.default_directory()))


def _password(from_stdin: bool) -> str:
    if from_stdin or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True))
