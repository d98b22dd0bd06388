"""`citynode site`: places where nodes hang."""

from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows

app = typer.Typer(help="Sites: the places that readings belong to.", no_args_is_help=True, rich_markup_mode=None)


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
    columns = ("site", "title", "latitude", "longitude", "height m", "node")
    rows = ((s.name, s.title, s.latitude, s.longitude, s.height_m, hanging.get(s.name)) for s in sites)
    print_rows(columns, rows)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Short name, a-z, 0-9 and -; it stays for ever.")],
    latitude: Annotated[float, typer.Option(help="Degrees north, WGS 84.")],
    longitude: Annotated[float, typer.Option(help="Degrees east, WGS 84.")],
    title: Annotated[str, typer.Option(help="Name for people; else the short name.")] = "",
    height_m: Annotated[float, typer.Option("--height-m", help="Height above ground in metres.")] = 3.0,
    district: Annotated[str, typer.Option(help="Part of the city.")] = "",
    data: Data = None,
) -> None:
    """Add a site."""
    from device_manager import fleet as services
    from device_manager import settings

    with services.open_fleet(settings.load(data or settings.default_directory())) as fleet:
        fleet.registry.add_site(name, title or name, latitude, longitude, height_m, district, scope=services.local())
    print(f"added site {name}")
