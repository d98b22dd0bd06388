"""The audit log: who did what to what, and what it was before and after."""

import json

from starlette.responses import Response

from device_manager.web.visit import Visit

PAGE_ROWS = 100


def page(visit: Visit) -> Response:
    """Show the newest entries, or those before a number, or those of one subject."""
    before, subject = visit.query.get("before", ""), visit.query.get("subject", "")[:200]
    number = int(before) if before.isdecimal() and len(before) < 18 else None
    entries = visit.desk.fleet.audit.entries(before=number, limit=PAGE_ROWS, subject=subject or None)
    return visit.page("audit.html", entries=entries, subject=subject, page_rows=PAGE_ROWS, facts=_facts)


def _facts(kept: str) -> str:
    """Return what a JSON object says as people write it: `role: admin, hours: 24`."""
    said = json.loads(kept)
    return ", ".join(f"{name}: {_value(value)}" for name, value in said.items()) or "–"


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
