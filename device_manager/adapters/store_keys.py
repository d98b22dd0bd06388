"""How frames are found by their place in a log and by their begin: one answer for SQLite, one for PostgreSQL.

SQLite has an index on the columns themselves. In a PostgreSQL index an entry of two columns takes 28 bytes, one of
8 bytes takes 20; frames are small and many, so the server's indices are on one number each:

    place   log_id * 2^32 + seq         the contract bounds both seq and a begin to 32 bits
    begin   node_id * 2^32 + start_s    of dated frames

    >>> ON_SERVER.place(7, 5).sql, ON_SERVER.place(7, 5).arguments
    ('log_id * 4294967296 + seq = ?', (30064771077,))
"""

from typing import NamedTuple, Protocol

from device_manager.database import Database, ServerDatabase

RANGE = 1 << 32
PLACE = f"log_id * {RANGE} + seq"
BEGIN = f"node_id * {RANGE} + start_s"


class Where(NamedTuple):
    """A condition with its arguments, what `ORDER BY` needs to follow the same index, and what to select from."""

    sql: str
    arguments: tuple[int, ...]
    order: str
    source: str = "frame"


class FrameKeys(Protocol):
    """Conditions on `frame`; bounds are exclusive, and may lie beyond what a number can be. `head` is the statement for
    the highest number given."""

    head: str

    def place(self, log_id: int, seq: int) -> Where:
        """Return the condition for one record of a log."""
        ...

    def places(self, log_id: int, after: int, until: int) -> Where:
        """Return the condition for the records of a log between two numbers."""
        ...

    def begins(self, node_id: int, after_s: int, until_s: int) -> Where:
        """Return the condition for the dated frames of a node that begin between two times."""
        ...

    def all_begins(self, after_s: int, until_s: int) -> Where:
        """Return the condition for the dated frames of all nodes that begin between two times, without an order."""
        ...


class _OnColumns:
    head = "SELECT coalesce(max(number), 0) FROM frame"

    def place(self, log_id: int, seq: int) -> Where:
        return Where("log_id = ? AND seq = ?", (log_id, seq), "seq")

    def places(self, log_id: int, after: int, until: int) -> Where:
        return Where("log_id = ? AND seq > ? AND seq < ?", (log_id, after, until), "seq")

    def begins(self, node_id: int, after_s: int, until_s: int) -> Where:
        sql = "node_id = ? AND start_s IS NOT NULL AND start_s > ? AND start_s < ?"
        return Where(sql, (node_id, after_s, until_s), "start_s")

    def all_begins(self, after_s: int, until_s: int) -> Where:
        sql = "node_id IN (SELECT id FROM node) AND start_s IS NOT NULL AND start_s > ? AND start_s < ?"
        return Where(sql, (after_s, until_s), "")


class _OnOneNumber:
    head = "SELECT head FROM numbered"

    def place(self, log_id: int, seq: int) -> Where:
        return Where(f"{PLACE} = ?", (log_id * RANGE + seq,), PLACE)

    def places(self, log_id: int, after: int, until: int) -> Where:
        return Where(f"{PLACE} > ? AND {PLACE} < ?", _bounds(log_id, after, until), PLACE)

    def begins(self, node_id: int, after_s: int, until_s: int) -> Where:
        sql = f"{BEGIN} > ? AND {BEGIN} < ? AND start_s IS NOT NULL"
        return Where(sql, _bounds(node_id, after_s, until_s), BEGIN)

    def all_begins(self, after_s: int, until_s: int) -> Where:
        sql = f"{BEGIN} > node.id * {RANGE} + ? AND {BEGIN} < node.id * {RANGE} + ? AND start_s IS NOT NULL"
        return Where(sql, _bounds(0, after_s, until_s), "", "node CROSS JOIN frame")


def _bounds(owner: int, after: int, until: int) -> tuple[int, int]:
    """Return both as numbers of the index, cut to what belongs to `owner`."""
    first = owner * RANGE
    return first + min(max(after, -1), RANGE), first + min(max(until, -1), RANGE)


ON_COLUMNS: FrameKeys = _OnColumns()
ON_SERVER: FrameKeys = _OnOneNumber()


def keys_of(database: Database) -> FrameKeys:
    """Return how frames of a database are found."""
    return ON_SERVER if isinstance(database, ServerDatabase) else ON_COLUMNS
