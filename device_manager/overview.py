"""A node in a few words, for lists and pages: the register's row and the shadow, seen at a given time. Pure."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from device_manager.ports import NodeRow, NodeView
from device_manager.shadow import Shadow, from_document, gaps, glimpse, judge
from firmware.wire import quality

if TYPE_CHECKING:  # a type only, which would load numpy
    from device_manager.series import LastValue

_WHOLE = ("{count}", "1", "[ppm]")


class Summary(NamedTuple):
    """A node for a list. `last_seen` is ISO 8601 UTC, `age_s` the seconds since; None: never, or not known.

    `state` and `reason` as in `shadow.liveness`; `gaps` are numbers that nobody fills, `alerts` how many kinds of them.
    """

    node: str
    site: str | None
    title: str | None
    admission: str
    state: str
    reason: str
    last_seen: str | None
    age_s: int | None
    buffered: int | None
    lost: int
    gaps: int
    rejected: int
    alerts: int
    frames: int
    values: int
    bytes_per_value: float | None
    firmware: str | None


def summarise(view: NodeView, now_ms: int) -> Summary:
    """Return the summary of a node at `now_ms`."""
    site, title = (view.site.name, view.site.title) if view.site else (None, None)
    return summarise_row(NodeRow(view.name, site, title, view.admission, view.shadow), now_ms)


def summarise_row(row: NodeRow, now_ms: int) -> Summary:
    """Return the summary of a node at `now_ms`."""
    shadow = glimpse(row.shadow) if row.shadow else Shadow(row.name)
    age_s = None if shadow.last_seen_ms is None else max(0, now_ms - shadow.last_seen_ms) // 1000
    ratio = shadow.bytes_per_value
    alive = judge(shadow, now_ms)
    return Summary(
        node=row.name,
        site=row.site,
        title=row.title,
        admission=row.admission,
        state=alive.state,
        reason=alive.reason,
        last_seen=None if shadow.last_seen_ms is None else iso(shadow.last_seen_ms / 1000),
        age_s=age_s,
        buffered=shadow.buffered,
        lost=shadow.lost,
        gaps=sum(gap.last - gap.first + 1 for gap in gaps(shadow, now_ms)),
        rejected=shadow.rejected,
        alerts=len(shadow.alerts),
        frames=shadow.frames,
        values=shadow.values,
        bytes_per_value=None if ratio is None else round(ratio, 2),
        firmware=shadow.firmware,
    )


def shadow_of(view: NodeView) -> Shadow:
    """Return the node's shadow, an empty one before its first message."""
    return from_document(view.shadow) if view.shadow else Shadow(view.name)


def missing(shadow: Shadow, now_ms: int) -> list[dict[str, object]]:
    """Return the gaps of a node, and what it no longer has of what we wait for, for people and programs."""
    rows: list[dict[str, object]] = [
        {"log": f"{gap.log:08x}", "first": gap.first, "last": gap.last, "since": iso(gap.since_ms / 1000)}
        for gap in gaps(shadow, now_ms)
    ]
    if shadow.not_held and shadow.log is not None:
        first, last = shadow.not_held
        rows.append({"log": f"{shadow.log:08x}", "first": first, "last": last, "since": None})
    return rows


def alerts(shadow: Shadow) -> list[dict[str, object]]:
    """Return the alerts of a node, the newest last."""
    return [
        {**{key: alert[key] for key in ("kind", "text", "count")}, "last": iso(float(str(alert["last_ms"])) / 1000)}
        for alert in shadow.alerts
    ]


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
    return _iso(int(time_s))


@lru_cache(maxsize=4096)
def _iso(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
