"""`citynode site`: places where nodes hang."""

from typing import Annotated

import typer

from device_manager.cli import visiting
from device_manager.cli.output import Data, Json, print_json, print_rows

app = typer.Typer(help="Sites: the places that readings belong to.", no_args_is_help=True, rich_markup_mode=None)
app.command("visit")(visiting.visit)
app.command("visits")(visiting.visits)
Heading = Annotated[float | None, typer.Option("--heading-deg", help="Where its front looks, degrees from north.")]
Fixture = Annotated[str, typer.Option(help="What it hangs on.")]
Zone = Annotated[str, typer.Option(help="IANA name of the time zone in which its days begin.")]
GmlId = Annotated[str, typer.Option(help="Object of the city's model that it is, a gml:id.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag; may be given again.")]


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List all sites and the nodes that hang there now."""
    from device_manager import fleet as services
    from device_manager import settings

    with services.open_fleet(settings.load(data or settings.default_directory())) as fleet:
        sites = fleet.registry.sites()
        hanging = {view.site.name: view.name for view in fleet.registry.nodes() if view.site}
    if json:
        print_json([{**site._asdict(), "node": hanging.get(site.name)} for site in sites])
        return
    columns = ("site", "title", "latitude", "longitude", "height m", "heading", "fixture", "tags", "node")
    rows = (
        (
            s.name,
            s.title,
            s.latitude,
            s.longitude,
            s.height_m,
            s.heading_deg,
            s.fixture,
            " ".join(s.tags),
            hanging.get(s.name),
        )
        for s in sites
    )
    print_rows(columns, rows)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Short name, a-z, 0-9 and -; it stays for ever.")],
    latitude: Annotated[float, typer.Option(help="Degrees north, WGS 84.")],
    longitude: Annotated[float, typer.Option(help="Degrees east, WGS 84.")],
    title: Annotated[str, typer.Option(help="Name for people; else the short name.")] = "",
    height_m: Annotated[float, typer.Option("--height-m", help="Height above ground in metres.")] = 3.0,
    district: Annotated[str, typer.Option(help="Part of the city.")] = "",
    zone: Zone = "Europe/Berlin",
    heading_deg: Heading = None,
    fixture: Fixture = "",
    gml_id: GmlId = "",
    tags: Tags = None,
    data: Data = None,
) -> None:
    """Add a site. To change one, or to add many, see `citynode apply`."""
    from device_manager import fleet as services
    from device_manager import settings
    from device_manager.ports import Site
    from device_manager.registry.fields import as_tags

    place = (latitude, longitude, height_m, district, zone, heading_deg, fixture, gml_id, as_tags(tags or ()))
    with services.open_fleet(settings.load(data or settings.default_directory())) as fleet:
        fleet.registry.put_site(Site(0, name, title or name, *place), scope=services.local())
    print(f"added site {name}")
