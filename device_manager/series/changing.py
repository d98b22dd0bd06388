"""Which readings a decision changes, and which numbers they had."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.series import flags as bits
from device_manager.series.calibration import NONE, Calibration
from device_manager.series.channels import Key, Line
from device_manager.series.invalidation import Invalidation
from device_manager.series.lineup import Reading, line_up
from device_manager.series.numbering import CORRECTED, RAW, Block, numbers
from device_manager.series.rolling import Context

Ints = npt.NDArray[np.int64]
_EVER_S = 1 << 40


class Change(NamedTuple):
    """Readings of one channel that changed; `old` are their numbers before (0: none), `what` raw or corrected."""

    node_id: int
    what: str
    line: Line
    old: Ints


def changed_lines(
    what: Calibration | Invalidation,
    before: Context,
    after: Context,
    node_ids: Sequence[int],
    blocks: Callable[[int, int, int], list[Block]],
) -> Iterator[Change]:
    """Yield what changes between two contexts that differ by `what`; only readings that have numbers already."""
    until_s = what.until_s if what.until_s is not None else _EVER_S
    for node_id in node_ids:
        rows = before.source.frames(node_id, what.since_s, until_s)

        def concerned(key: Key, node_id: int = node_id) -> bool:
            if isinstance(what, Invalidation):
                return what.concerns(node_id, key.quantity)
            return what.concerns(node_id, *key)

        pair = [line_up(node_id, rows, c.epochs, c.loads, c.deployments, c.state, concerned) for c in (before, after)]
        if not pair[0]:
            continue
        held = blocks(node_id, min(rows.number), max(rows.number))
        for key in pair[0]:
            yield from _changes(node_id, pair[0][key], pair[1][key], held)


def _changes(node_id: int, old: Reading, new: Reading, held: Iterable[Block]) -> Iterator[Change]:
    held = list(held)
    flags = (old.line.flags ^ new.line.flags) & ~bits.CALIBRATED != 0
    raw = numbers(old.line, held, RAW)
    rows = np.flatnonzero(flags & (raw > 0))
    if len(rows):
        yield Change(node_id, RAW, new.line.where(rows), raw[rows])
    corrected = numbers(old.line, held, CORRECTED)
    recalibrated = old.calibration != new.calibration
    is_corrected = (old.calibration != NONE) | (new.calibration != NONE)
    rows = np.flatnonzero((recalibrated | (flags & is_corrected)) & (raw > 0))
    if len(rows):
        yield Change(node_id, CORRECTED, new.line.where(rows), corrected[rows])
