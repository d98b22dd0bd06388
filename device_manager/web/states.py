"""The states of a node on pages: their order, the worst first, and the shape beside the colour."""

from device_manager.front_desk import Row

WORST_FIRST = ("lost", "late", "buffering", "never seen", "quiet", "online")
_ORDER = ("lost", "late", "sensor fault", "buffering", "never seen", "quiet", "online")
FINE = ("online", "quiet")
SENSOR = "sensor fault"


def css(state: str) -> str:
    """Return the state as a class name."""
    return "state-" + state.replace(" ", "-")


def is_faulty(row: Row) -> bool:
    """True when somebody should look at the node: not well, or a sensor says so."""
    return row.summary.state not in FINE or row.summary.alerts > 0 or any(v.flags & 0x8 for v in row.values.values())


def shown(row: Row) -> str:
    """Return the word for lists and the map: the node's state, or that a sensor is at fault while all else is well."""
    return SENSOR if row.summary.state in FINE and is_faulty(row) else row.summary.state


def by_urgency(rows: list[Row]) -> list[Row]:
    """Return the worst first, then by name."""
    return sorted(rows, key=lambda row: (_ORDER.index(shown(row)), row.summary.node))


def counts(rows: tuple[Row, ...]) -> dict[str, int]:
    """Return how many nodes are in each state, the good ones first."""
    found = dict.fromkeys(reversed(WORST_FIRST), 0)
    for row in rows:
        found[row.summary.state] += 1
    return found
