"""A node in a few words, for lists and pages: the register's row and the shadow, seen at a given time. Pure."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from device_manager.ports import NodeView
from device_manager.shadow import Shadow, from_document
from firmware.wire import quality

if TYPE_CHECKING:  # a type only, which would load numpy
    from device_manager.series import LastValue

_WHOLE = ("{count}", "1", "[ppm]")
SILENT_AFTER_S = 900  # three frames of the field default


class Summary(NamedTuple):
    """A node for a list. `last_seen` is ISO 8601 UTC, `age_s` the seconds since; None: never, or not known."""

    node: str
    site: str | None
    title: str | None
    admission: str
    state: str
    last_seen: str | None
    age_s: int | None
    buffered: int | None
    lost: int
    rejected: int
    frames: int
    values: int
    bytes_per_value: float | None
    firmware: str | None


def summarise(view: NodeView, now_ms: int) -> Summary:
    """Return the summary of a node at `now_ms`."""
    shadow = shadow_of(view)
    age_s = None if shadow.last_seen_ms is None else max(0, now_ms - shadow.last_seen_ms) // 1000
    ratio = shadow.bytes_per_value
    return Summary(
        node=view.name,
        site=view.site.name if view.site else None,
        title=view.site.title if view.site else None,
        admission=view.admission,
        state=_state(shadow, age_s),
        last_seen=None if shadow.last_seen_ms is None else iso(shadow.last_seen_ms / 1000),
        age_s=age_s,
        buffered=shadow.buffered,
        lost=shadow.lost,
        rejected=shadow.rejected,
        frames=shadow.frames,
        values=shadow.values,
        bytes_per_value=None if ratio is None else round(ratio, 2),
        firmware=shadow.firmware,
    )


def shadow_of(view: NodeView) -> Shadow:
    """Return the node's shadow, an empty one before its first message."""
    return from_document(view.shadow) if view.shadow else Shadow(view.name)


def health(shadow: Shadow) -> dict[str, object]:
    """Return the last health message for people: times in words, faults as text."""
    shown = {key: value for key, value in shadow.health.items() if value not in (None, "", [])}
    if isinstance(shown.get("time"), int):
        shown["time"] = iso(shown["time"])  # type: ignore[arg-type]  # just checked
    if isinstance(shown.get("faults"), list):
        shown["faults"] = ", ".join(f"{sensor} {count}" for sensor, count in shown["faults"])  # type: ignore[attr-defined]
    return shown


def channel(last: "LastValue") -> dict[str, object]:
    """Return the latest value of a channel for people and programs."""
    return {
        "sensor": last.sensor,
        "quantity": last.quantity,
        "value": number(last),
        "unit": last.unit,
        "quality": ", ".join(quality.names(last.flags)),
        "end": iso(last.end_s),
    }


def number(last: "LastValue") -> int | float | None:
    """Return the value as people write it: counts and indices without a decimal point."""
    return int(last.value) if last.value is not None and last.unit in _WHOLE else last.value


def iso(time_s: float) -> str:
    """Return a Unix time as ISO 8601 UTC, whole seconds."""
    return datetime.fromtimestamp(int(time_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _state(shadow: Shadow, age_s: int | None) -> str:
    if shadow.online is None and age_s is None:
        return "never seen"
    if shadow.online is False:
        return "offline"
    return "online" if age_s is not None and age_s < SILENT_AFTER_S else "silent"
