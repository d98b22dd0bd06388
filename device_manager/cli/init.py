"""`citynode init`: make a data directory."""

from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json


def init(
    data: Data = None,
    name: Annotated[str, typer.Option(help="Name of the fleet.")] = "citynode",
    host: Annotated[str, typer.Option(help="Address of the broker; 0.0.0.0 for nodes in the field.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Broker's port; else the first free one from 8883.")] = None,
    broker: Annotated[str | None, typer.Option(help="Use mosquitto or iotcore; else the one installed.")] = None,
    database: Annotated[str, typer.Option(help="URL of a PostgreSQL database; else SQLite.")] = "",
    json: Json = False,
) -> None:
    """Make the data directory of a fleet.

    It gets settings, database, certificates and a broker configuration.
    """
    from device_manager import app, settings

    directory = data or settings.default_directory()
    made = app.initialise(
        directory,
        name=name,
        host=host,
        port=port,
        broker=broker,
        database=database,
        web=settings.WEB,
        twin=settings.TWIN,
    )
    if json:
        print_json({"directory": made.directory, "broker": vars(made.broker)})
        return
    print(f"initialised {made.directory}")
    print(f"broker {made.broker.kind} on {made.broker.host} port {made.broker.port}")
    if made.broker.kind == "iotcore":
        print("mosquitto is not used: nodes and manager are not checked, so this is for a demo on this machine only")
    print("next: `citynode serve`")
