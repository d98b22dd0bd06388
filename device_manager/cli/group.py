"""`citynode group`: groups of nodes."""

from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows

app = typer.Typer(help="Groups of nodes: by list or by question.", no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Argument(help="Short name of the group, a-z, 0-9 and -.")]


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List all groups and how many nodes they have now."""
    from device_manager import settings
    from device_manager.fleet import open_fleet

    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        groups = fleet.groups.groups()
        rows = [(g.name, g.title, g.query or "a list", len(fleet.groups.members(g.name))) for g in groups]
    columns = ("group", "title", "query", "nodes")
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_rows(columns, rows)


@app.command()
def show(name: Name, data: Data = None, json: Json = False) -> None:
    """Print the ids of a group's nodes, one a line."""
    from device_manager import settings
    from device_manager.fleet import open_fleet

    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        members = fleet.groups.members(name)
    if json:
        print_json(members)
        return
    for member in members:
        print(member)


@app.command("set")
def set_(
    name: Name,
    nodes: Annotated[list[str] | None, typer.Argument(help="Ids of its nodes, for a list.")] = None,
    query: Annotated[str | None, typer.Option(help="A question: `district=Nord and not tag=school`.")] = None,
    title: Annotated[str, typer.Option(help="Name for people; else the short name.")] = "",
    data: Data = None,
) -> None:
    """Add a group, or give it another list or question.

    FIELD=VALUE with and, or, not, parentheses and * in values; fields: node, tag, admission, site, site-tag, district,
    fixture, zone, board, firmware, release.
    """
    from device_manager import settings
    from device_manager.fleet import local, open_fleet
    from device_manager.registry.groups import Group

    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        made = Group(name, title or name, query, tuple(sorted(set(nodes or ()))))
        fleet.groups.define(made, scope=local())
        count = len(fleet.groups.members(name))
    print(f"group {name} has {count} nodes")


@app.command()
def remove(name: Name, data: Data = None) -> None:
    """Forget a group; its nodes stay as they are."""
    from device_manager import settings
    from device_manager.fleet import local, open_fleet

    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        fleet.groups.remove(name, scope=local())
    print(f"removed group {name}")
