"""`citynode node hang`, `replace`, `tag`, `maintain` and `citynode site visit`: what is done at a lamp post."""

import time
from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows

Node = Annotated[str, typer.Argument(help="Id of the node.")]


def hang(
    node: Node,
    site: Annotated[str, typer.Argument(help="Site where it hangs from now on; - takes it down.")],
    data: Data = None,
) -> None:
    """Note that a node hangs at a site from now on."""
    from device_manager import settings
    from device_manager.fleet import local, open_fleet

    now_s = int(time.time())
    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        if site == "-":
            fleet.registry.take_down(node, now_s, scope=local())
        else:
            fleet.registry.hang(node, fleet.registry.site(site), now_s, scope=local())
    print(f"{node} hangs nowhere" if site == "-" else f"{node} hangs at {site}")


def replace(
    broken: Annotated[str, typer.Argument(help="Id of the node that is taken down.")],
    new: Annotated[str, typer.Argument(help="Id of the node that hangs there from now on.")],
    note: Annotated[str, typer.Option(help="What was wrong, for the visit log.")] = "",
    data: Data = None,
) -> None:
    """Replace a node at its site; the site keeps its series."""
    from device_manager import settings
    from device_manager.fleet import local, open_fleet

    now_s = time.time()
    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        site = fleet.registry.replace(broken, new, int(now_s), scope=local())
        words = f"replaced {broken} by {new}" + (f": {note}" if note else "")
        fleet.visits.note(site.name, words, int(now_s * 1000), scope=local(), node=new)
    print(f"{new} hangs at {site.name} in place of {broken}")


def tag(
    node: Node,
    tags: Annotated[list[str] | None, typer.Argument(help="All its tags from now on; none: no tags.")] = None,
    data: Data = None,
) -> None:
    """Give a node other tags."""
    from device_manager import settings
    from device_manager.fleet import local, open_fleet

    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        kept = fleet.registry.tag(node, tags or [], scope=local())
    print(f"{node}: {' '.join(kept) or 'no tags'}")


def maintain(
    node: Node,
    minutes: Annotated[int, typer.Option(min=0, max=1440, help="How long; 0 ends it.")],
    reason: Annotated[str, typer.Option(help="What is done.")] = "maintenance",
    data: Data = None,
) -> None:
    """Say that a node is worked at: its alerts rest, and it flags what it measures meanwhile.

    The node gets the command `maintenance` through the running manager; a node that is away does not flag.
    """
    from device_manager import settings, upkeep
    from device_manager.fleet import local, open_fleet

    found, now_s = settings.load(data or settings.default_directory()), time.time()
    with open_fleet(found) as fleet:
        if minutes:
            fleet.visits.start_maintenance(node, minutes, reason, int(now_s * 1000), scope=local())
        else:
            fleet.visits.end_maintenance(node, int(now_s * 1000), scope=local())
    upkeep.open_orders(found).command(node, "maintenance", now_s, scope=local(), minutes=minutes)
    print(f"{node} is in maintenance for {minutes} min" if minutes else f"{node} is no longer in maintenance")


def visit(
    site: Annotated[str, typer.Argument(help="Site that was visited.")],
    note: Annotated[str, typer.Argument(help="What was seen and done.")],
    node: Annotated[str | None, typer.Option(help="Node that it was about.")] = None,
    data: Data = None,
) -> None:
    """Add a line to the visit log."""
    from device_manager import settings
    from device_manager.fleet import local, open_fleet

    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        made = fleet.visits.note(site, note, int(time.time() * 1000), scope=local(), node=node)
    print(f"visit {made.number} to {site} noted")


def visits(
    site: Annotated[str | None, typer.Option(help="Only visits to that site.")] = None,
    node: Annotated[str | None, typer.Option(help="Only visits about that node.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show the visit log, the newest first."""
    from device_manager import settings
    from device_manager.fleet import open_fleet
    from device_manager.overview import iso

    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        found = fleet.visits.visits(site=site, node=node)
    if json:
        print_json([visit._asdict() for visit in found])
        return
    columns = ("time", "site", "node", "by", "note")
    print_rows(columns, ((iso(v.at_ms / 1000), v.site, v.node, v.actor, v.note) for v in found))
