"""The audit log: who did what to what, and what it was before and after."""

from starlette.responses import Response

from device_manager.web.visit import Visit

PAGE_ROWS = 100


def page(visit: Visit) -> Response:
    """Show the newest entries, or those before a number, or those of one subject."""
    before, subject = visit.query.get("before", ""), visit.query.get("subject", "")[:200]
    number = int(before) if before.isdecimal() and len(before) < 18 else None
    entries = visit.desk.fleet.audit.entries(before=number, limit=PAGE_ROWS, subject=subject or None)
    return visit.page("audit.html", entries=entries, subject=subject, page_rows=PAGE_ROWS)
