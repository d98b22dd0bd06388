"""The list of nodes: filters, and commands for many at once."""

import time
from typing import Any

from starlette.responses import Response

from device_manager.errors import UsageError
from device_manager.front_desk import Row
from device_manager.web import states
from device_manager.web.visit import Visit

PAGE_ROWS = 200
MOST_AT_ONCE = 500
BULK = ("identify", "health", "self-test", "maintenance", "reboot")


def page(visit: Visit) -> Response:
    """Show the list."""
    return visit.page("nodes.html", commands=BULK, **_found(visit))


def rows(visit: Visit) -> Response:
    """Show its rows, for a list that is open already."""
    return visit.fragment("nodes_rows.html", **_found(visit))


def bulk(visit: Visit) -> Response:
    """Send the chosen nodes a command."""
    chosen, name = visit.fields("node"), visit.field("command")
    if not 1 <= len(chosen) <= MOST_AT_ONCE:
        todo = "tick them in the first column"
        raise UsageError(expected=f"1 to {MOST_AT_ONCE} nodes", got=str(len(chosen)), todo=todo)
    if name not in BULK:
        raise UsageError(expected=", ".join(BULK), got=repr(name), todo="choose one of them")
    known = {row.summary.node for row in visit.desk.snapshot().rows}
    for node in chosen:
        if node not in known:
            raise UsageError(expected="a registered node", got=repr(node[:60]), todo="load the list again")
    orders, minutes = visit.desk.orders(), 60 if name == "maintenance" else None
    for node in chosen:
        orders.command(node, name, time.time(), scope=visit.scope, minutes=minutes)
    return visit.see("/nodes", visit.words("{name} was sent to {count} nodes", name=name, count=len(chosen)))


def _found(visit: Visit) -> dict[str, Any]:
    snapshot = visit.desk.snapshot()
    words, state = visit.query.get("q", "").casefold().split(), visit.query.get("state", "")
    found = [row for row in snapshot.rows if _fits(row, words, state)]
    found = states.by_urgency(found) if visit.query.get("sort") != "name" else found
    first = _number(visit.query.get("from", "0"))
    return {
        "rows": found[first : first + PAGE_ROWS], "total": len(found), "all": len(snapshot.rows), "first": first,
        "page_rows": PAGE_ROWS, "counts": states.counts(snapshot.rows), "css": states.css, "shown": states.shown,
        "q": visit.query.get("q", ""), "state": state, "sort": visit.query.get("sort", ""),
    }  # fmt: skip


def _fits(row: Row, words: list[str], state: str) -> bool:
    summary = row.summary
    if state == "faulty" and not states.is_faulty(row):
        return False
    if state and state not in ("faulty", summary.state):
        return False
    district = row.site.district if row.site else ""
    text = f"{summary.node} {summary.site} {summary.title} {district} {summary.firmware} {summary.admission}".casefold()
    return all(word in text for word in words)


def _number(text: str) -> int:
    return min(int(text), 1_000_000) if text.isdecimal() and len(text) < 8 else 0
