"""What runs on a node: MicroPython on ESP32, and the same sources on a PC through `firmware.virtual`."""

import sys

VERSION = "0.1.0"


class ConfigError(Exception):
    """The node's configuration cannot be used; the text is the one line for the person who provisions."""


def forget(*modules: str) -> None:
    """Give the memory of modules back that are wanted rarely: "wire.cose" is firmware.wire.cose."""
    for name in modules:
        owner, _, last = ("firmware." + name).rpartition(".")
        sys.modules.pop("firmware." + name, None)
        package = sys.modules.get(owner)
        if hasattr(package, last):
            delattr(package, last)
