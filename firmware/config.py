"""Reads and checks `node.json`, what provisioning writes into a node. The one form of it is FIELDS below and README.md.

A mistake is found here, before anything is opened, and is one line: what was expected, what came, what to do. The
module is needed once: `app` forgets it afterwards, which gives 5 kB of heap back.
"""

import json

from firmware import ConfigError
from firmware.wire import topics

FILE = "node.json"
_TODO = "correct it or provision the node again"

# field, type, its name, default or None when it must be given, smallest, largest
FIELDS: tuple = (
    ("node", str, "text", None, 0, 0),
    ("brokers", list, "list", None, 0, 0),
    ("wifi", dict, "map", None, 0, 0),
    ("sensors", list, "list", None, 0, 0),
    ("buses", list, "list", [], 0, 0),
    ("ntp", list, "list", [], 0, 0),
    ("record_s", int, "number", 60, 1, 3600),
    ("frame_s", int, "number", 300, 1, 86400),
    ("frame_records", int, "number", 30, 1, 240),
    ("resend_s", int, "number", 30, 1, 3600),
    ("revision", int, "number", 0, 0, (1 << 32) - 1),
    ("led_pin", int, "number", -1, -1, 48),
    ("watchdog_s", int, "number", 120, 0, 600),
    ("max_offline_s", int, "number", 14400, 300, 259200),
    ("backlog_per_s", int, "number", 50, 1, 1000),
    ("trial_s", int, "number", 900, 10, 86400),
    ("provisioned", int, "number", 0, 0, (1 << 32) - 1),
)
_PARTS = {
    "brokers": (("host", str), ("port", int)),
    "sensors": (("name", str), ("driver", str)),
    "buses": (("bus", int),),
    "wifi": (("ssid", str), ("password", str)),
    "tls": (("anchors", list), ("certificate", str), ("key", str)),
}


def read(path: str = FILE) -> dict:
    """Return the checked configuration with defaults filled in; ConfigError says what is wrong with it."""
    try:
        with open(path) as file:
            config = json.load(file)
    except OSError:
        raise ConfigError("expected %s in the node's directory, got none: provision the node" % path)
    except ValueError:
        raise ConfigError("expected JSON in %s, got something else: %s" % (path, _TODO))
    if not isinstance(config, dict):
        raise _wrong("a map", config)
    return check(config)


def check(config: dict) -> dict:
    """Check `config`, fill in defaults and return it."""
    for name, kind, kind_name, default, low, high in FIELDS:
        if name not in config and default is not None:
            config[name] = default
        value = config.get(name)
        if not isinstance(value, kind) or value is True or value is False:
            raise _wrong("%s as %s" % (name, kind_name), value)
        if kind is int and not low <= value <= high:
            raise _wrong("%s from %d to %d" % (name, low, high), value)
    if not topics.is_node_id(config["node"]):
        raise _wrong("node as 3 to 32 characters a-z 0-9 -", config["node"])
    _check_parts(config)
    return config


def _check_parts(config: dict) -> None:
    for name in ("brokers", "sensors", "buses"):
        if not config[name] and name != "buses":
            raise _wrong("%s with at least one row" % name, config[name])
        for row in config[name]:
            _check_map("a row of %s" % name, row, _PARTS[name])
    if not isinstance(config.setdefault("board", ""), str):
        raise _wrong("board as text", config["board"])
    _check_map("wifi", config["wifi"], _PARTS["wifi"])
    if config.setdefault("tls", None) is not None:
        _check_map("tls", config["tls"], _PARTS["tls"])
    names = [row["name"] for row in config["sensors"]]
    if len(set(names)) != len(names):
        raise _wrong("sensors with different names", ", ".join(names))


def _check_map(what: str, value, fields: tuple) -> None:
    if not isinstance(value, dict):
        raise _wrong("%s as map" % what, value)
    for name, kind in fields:
        if not isinstance(value.get(name), kind):
            raise _wrong("%s with %s as %s" % (what, name, kind.__name__), value.get(name))


def _wrong(expected: str, got) -> ConfigError:
    return ConfigError("%s: expected %s, got %s: %s" % (FILE, expected, repr(got)[:60], _TODO))
