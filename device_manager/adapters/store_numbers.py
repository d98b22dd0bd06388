"""Frames by their commit number, in ranges: what PostgreSQL's small index of numbers is good for.

The server's index says which pages of a table hold which numbers, not where one lies, and cannot give rows in order.
So a page is looked for in a range of numbers, and in twice as many when there are gaps: months in the archive, other
nodes.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from device_manager.adapters.store_keys import ON_SERVER

_GAP = 500  # numbers that are read over rather than asking twice


def next_page(
    connection: Connection, select: str, arguments: tuple[object, ...], after: int, limit: int
) -> Sequence[Any]:
    """Return the first `limit` rows above a number, by number; `select` ends in WHERE or AND and has `arguments`."""
    run = connection.exec_driver_sql
    if connection.dialect.name != "postgresql":
        return run(f"{select} number > ? ORDER BY number LIMIT ?", (*arguments, after, limit)).fetchall()
    head: int = run(ON_SERVER.head).scalar_one()
    found: list[Any] = []
    span = limit
    while after < head and len(found) < limit:
        bounds = after, after + span, limit - len(found)
        found += run(f"{select} number > ? AND number <= ? ORDER BY number LIMIT ?", (*arguments, *bounds)).fetchall()
        after, span = after + span, 2 * span
    return found


def ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield (lowest, highest) of the runs of these numbers that lie near each other.

    >>> list(ranges({1, 2, 9, 10_000}))
    [(1, 9), (10000, 10000)]
    """
    wanted = sorted(numbers)
    begin = 0
    for at in range(1, len(wanted) + 1):
        if at == len(wanted) or wanted[at] - wanted[at - 1] > _GAP:
            yield wanted[begin], wanted[at - 1]
            begin = at
