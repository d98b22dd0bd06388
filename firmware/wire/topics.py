"""Topics: `citynode/1/<node>/up/<kind>` is written by the node, `.../down/<kind>` is read by it.

`<node>` is the node's id: the CN of its certificate, its MQTT user name and its client id, so that one ACL pattern
(`citynode/1/%u/up/#`) binds a node to its own tree. The number is the generation of the tree, not of the payloads
(those carry `firmware.wire.VERSION`).

    >>> up("kempten-01", "frame")
    'citynode/1/kempten-01/up/frame'
"""

from firmware.wire import WireError

ROOT = "citynode/1"
UP = ("frame", "channels", "loss", "health", "state", "reply", "want", "update")
DOWN = ("watermark", "desired", "command", "chunk", "order", "offer")
ALL_UP = ROOT + "/+/up/#"
_NODE_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"


def is_node_id(text: str) -> bool:
    """True for 3 to 32 characters of a-z, 0-9 and '-'."""
    return 3 <= len(text) <= 32 and all(c in _NODE_CHARACTERS for c in text)


def up(node: str, kind: str) -> str:
    """Return the topic of `kind` (one of UP) from `node`."""
    return _topic(node, "up", kind, UP)


def down(node: str, kind: str) -> str:
    """Return the topic of `kind` (one of DOWN) to `node`."""
    return _topic(node, "down", kind, DOWN)


def parse(topic: str) -> tuple:
    """Return (node, 'up' or 'down', kind); WireError for a topic outside the tree, an invalid node or unknown kind."""
    parts = topic.split("/")
    if len(parts) != 5 or parts[0] + "/" + parts[1] != ROOT or parts[3] not in ("up", "down"):
        raise WireError("expected %s/<node>/up|down/<kind>, got %s" % (ROOT, topic[:80]))
    _topic(parts[2], parts[3], parts[4], UP if parts[3] == "up" else DOWN)
    return parts[2], parts[3], parts[4]


def _topic(node: str, direction: str, kind: str, kinds: tuple) -> str:
    if not is_node_id(node):
        raise WireError("expected a node id of 3 to 32 characters a-z 0-9 -, got %s" % node[:40])
    if kind not in kinds:
        raise WireError("expected one of %s, got %s" % (", ".join(kinds), kind[:40]))
    return "%s/%s/%s/%s" % (ROOT, node, direction, kind)
