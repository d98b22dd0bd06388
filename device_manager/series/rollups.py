"""Roll-ups: readings of a channel -> one row an interval, by the quantity's kind.

    kind                     value of an interval
    mean, percentile         arithmetic mean of the readings
    level                    energetic mean, weighted by duration: 10 lg(sum(t_i 10^(L_i/10)) / sum(t_i)), DIN 45641
    max / min                largest / smallest
    total                    people counted: sum of the differences of totals

beside it lowest and highest reading, seconds covered, number of readings, and all quality bits that occurred. Readings
that nobody shall calculate with (`flags.UNUSABLE`) are left out and lower the coverage. A reading belongs to the
interval in which it begins. A row appears once the node has sent a reading from behind the interval, and is made anew
from all readings whenever one more comes: no sum of sums, so the order of arrival leaves no trace.

A total is a counter modulo 2**29 that starts at 0 with every epoch. Within an epoch a smaller number is a counter that
overran (from the top eighth to the bottom eighth of its range) or one that began anew. The first total ever says
nothing. People who came while no reading was made belong to the reading that ends the gap (bit COLLECTED).
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from device_manager.series import flags as bits
from device_manager.series.channels import Line
from firmware.wire.batch import TOTAL_MODULUS
from firmware.wire.quantities import QUANTITIES

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_EIGHTH = TOTAL_MODULUS // 8


@dataclass(frozen=True, slots=True)
class RollUp:
    """Rows of one channel and period, by begin: value as the module says, over [start_s, end_s) (Unix s)."""

    start_s: Ints
    end_s: Ints
    value: Floats
    low: Floats
    high: Floats
    seconds: Ints
    readings: Ints
    flags: Ints

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def coverage(self) -> Floats:
        """Part of each interval for which there are usable readings, 0 to 1."""
        return np.minimum(self.seconds / (self.end_s - self.start_s), 1.0)


def kind_of(quantity: str) -> str:
    """Return the quantity's kind; "mean" for one of a newer contract."""
    return str(QUANTITIES[quantity][2]) if quantity in QUANTITIES else "mean"


def energetic_mean(level_db: Floats, weight: Floats | None = None) -> float:
    """Return the level whose energy is the mean of the levels' energies, in dB (equivalent continuous level)."""
    energy = np.power(10.0, np.asarray(level_db, dtype=np.float64) / 10.0)
    return float(10.0 * np.log10(np.average(energy, weights=weight)))


def rolled(line: Line, borders: Ints) -> RollUp:
    """Return the rows of all intervals between `borders` (Unix s, growing) that hold a usable reading.

    `line` is corrected and flagged already, and of a total it holds counts, see `counted`.
    """
    kind = kind_of(line.channel.quantity)
    good = bits.usable(line.value, line.flags)
    at = np.searchsorted(borders, line.start_s, side="right") - 1
    inside = (at >= 0) & (at < len(borders) - 1)
    occurred = _flags(at, line.flags, inside, len(borders) - 1)
    chosen = np.flatnonzero(good & inside)
    if not len(chosen):
        return _nothing()
    at, value = at[chosen], line.value[chosen]
    seconds = line.end_s[chosen] - line.start_s[chosen]
    first = np.flatnonzero(np.concatenate((np.ones(1, dtype=bool), at[1:] != at[:-1])))
    where = at[first]
    low, high = np.minimum.reduceat(value, first), np.maximum.reduceat(value, first)
    readings = np.diff(np.append(first, len(at)))
    covered = np.add.reduceat(seconds, first)
    main = _values(kind, line.channel.denominator, value, seconds, first, low, high, readings)
    return RollUp(borders[where], borders[where + 1], main, low, high, covered, readings, occurred[where])


def _values(
    kind: str,
    denominator: int,
    value: Floats,
    seconds: Ints,
    first: Ints,
    low: Floats,
    high: Floats,
    readings: Ints,
) -> Floats:
    if kind == "level":
        energy = np.add.reduceat(np.power(10.0, value / 10.0) * seconds, first)
        return np.asarray(10.0 * np.log10(energy / np.add.reduceat(seconds, first)))
    if kind in ("max", "min"):
        return high if kind == "max" else low
    total = _sums(value, denominator, first)
    return total if kind == "total" else total / readings


def _sums(value: Floats, denominator: int, first: Ints) -> Floats:
    """Sum up; exactly where the values are whole multiples of 1/denominator, as uncorrected ones are."""
    scaled = np.rint(value * denominator)
    if (scaled / denominator == value).all():
        return np.asarray(np.add.reduceat(scaled.astype(np.int64), first) / denominator)
    return np.asarray(np.add.reduceat(value, first))


def _flags(at: Ints, flags: Ints, inside: npt.NDArray[np.bool_], intervals: int) -> Ints:
    occurred = np.zeros(intervals, dtype=np.int64)
    marked = np.flatnonzero(inside & (flags != 0))
    np.bitwise_or.at(occurred, at[marked], flags[marked])
    return occurred


def _nothing() -> RollUp:
    ints, floats = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float64)
    return RollUp(ints, ints, floats, floats, floats, ints, ints, ints)


def counted(line: Line) -> Line:
    """Return people in each interval instead of totals; the first reading of all has none (NaN)."""
    rows = np.flatnonzero(~np.isnan(line.value))
    value = np.full(len(line), np.nan)
    flags = line.flags.copy()
    if len(rows) > 1:
        total, epoch = line.value[rows], line.epoch[rows]
        step = np.diff(total)
        anew = epoch[1:] != epoch[:-1]
        overran = ~anew & (total[:-1] >= TOTAL_MODULUS - _EIGHTH) & (total[1:] < _EIGHTH)
        step = np.where(overran, step + TOTAL_MODULUS, np.where(anew | (step < 0), total[1:], step))
        value[rows[1:]] = step
        gap = line.start_s[rows[1:]] > line.end_s[rows[:-1]]
        flags[rows[1:][gap]] |= bits.COLLECTED
    return replace(line, value=value, flags=flags)
