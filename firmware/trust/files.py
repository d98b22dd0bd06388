"""Small files, replaced in one step: after a power cut there is the old one or the new one."""

import json
import os

SETTINGS, TRIAL, KEYS = "node.json", "trial.json", "orders.keys"
_SECRETS = (".der", ".new", ".keys")


def read_json(name: str) -> dict:
    """The map in a file; empty when the file is not there or not whole."""
    try:
        with open(name) as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(name: str, value: dict) -> None:
    """Replace a file by `value`."""
    write(name, json.dumps(value).encode())


def write(name: str, data: bytes) -> None:
    """Replace a file by `data`."""
    with open(name + ".new", "wb") as file:
        file.write(data)
    os.rename(name + ".new", name)


def remove(name: str) -> None:
    """Remove a file; it may be gone already."""
    try:
        os.remove(name)
    except OSError:
        pass


def read_keys():
    """Yield the moduli of the keys that may sign orders; none when the node was provisioned without."""
    from firmware.wire.cose import KEY_BYTES

    try:
        with open(KEYS, "rb") as file:
            while key := file.read(KEY_BYTES):
                yield key
    except OSError:
        return


def sweep(tls: dict | None) -> None:
    """Remove certificates, anchors and keys that the settings do not name: they were tried, or have been replaced."""
    used = [] if tls is None else tls["anchors"] + [tls["certificate"], tls["key"]]
    for name in os.listdir():
        if name.endswith((".der", ".der.new")) and name not in used:
            remove(name)


def wipe() -> None:
    """Remove settings, keys and certificates; the settings go last, so that a power cut repeats it."""
    for name in os.listdir():
        if name.endswith(_SECRETS) or name == TRIAL:
            remove(name)
    remove(SETTINGS)
