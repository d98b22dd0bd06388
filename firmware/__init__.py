"""What runs on a node: MicroPython on ESP32, and the same sources on a PC through `firmware.virtual`."""

VERSION = "0.1.0"


class ConfigError(Exception):
    """The node's configuration cannot be used; the text is the one line for the person who provisions."""
