"""`citynode key`: the two keys that sign releases, wherever they are."""

from pathlib import Path
from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows

app = typer.Typer(help="The keys that sign releases.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List the two keys that nodes trust, and which of them are on this machine; they are made when there are none."""
    from device_manager import settings
    from device_manager.identities.order_keys import ReleaseKeys, key_id

    keys = ReleaseKeys(settings.load(data or settings.default_directory()).identities)
    columns = ("key", "id", "file", "here")
    rows = [
        (number, key_id(modulus).hex(), keys.file(number).name, "yes" if keys.file(number).exists() else "no")
        for number, modulus in enumerate(keys.moduli(), 1)
    ]
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_rows(columns, rows)


@app.command()
def sign(
    files: Annotated[list[Path], typer.Argument(help="Files of `citynode release to-sign`.")],
    key: Annotated[Path, typer.Option(help="The private key, PEM.")],
) -> None:
    """Sign roots and offers with a key in a file; needs no data directory, so it works on a machine without a network.

    The passphrase comes from CITYNODE_CA_PASSPHRASE or is asked for. The result lies beside each file, as FILE.cose.
    """
    from device_manager.errors import UsageError
    from device_manager.identities import order_keys
    from firmware.wire import WireError, releases

    private = order_keys.load_key(key)
    for path in files:
        payload = path.read_bytes()
        try:
            _ = releases.check_offer(payload) if path.suffix == ".offer" else releases.check_root(payload)
        except WireError as error:
            todo = "sign only what `citynode release to-sign` wrote"
            raise UsageError(expected=f"a root or an offer in {path}", got=str(error), todo=todo) from error
        signed = path.with_name(path.name + ".cose")
        signed.write_bytes(order_keys.sign(private, payload))
        print(f"wrote {signed}; bring it to the manager and `citynode release take-signed` it")
