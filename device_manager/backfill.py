"""Was a record delivered at once, or long after it was measured? Pure; one answer for counters, series and pages.

A frame arrives some seconds after its end. What comes later than BACKFILLED_AFTER_S was waiting in an outbox or a
queue: a reader who polled meanwhile has not seen it, and a mean over that time was made without it.
"""

BACKFILLED_AFTER_S = 900  # three frames of the field default


def is_backfilled(received_ms: int, end_s: int | None) -> bool:
    """True for a record received (Unix ms) much later than its last reading ended (Unix s; None: not known, False)."""
    return end_s is not None and received_ms > (end_s + BACKFILLED_AFTER_S) * 1000
