"""People from the monotonic totals of a counter: in, out, and who is still inside.

A node publishes totals since it was made, modulo 2**29, so a lost record costs no person: the next one brings them.
`people` turns totals into people an interval; a total that falls has wrapped or the counter began anew:

    forward step modulo 2**29 small enough for the time that passed   the counter wrapped: the step counts
    otherwise                                                          a reset: the total since the reset counts,
                                                                       when it is small enough itself

Limits: who passed between the last record before a reset and the reset is not known and not guessed. The first total
of a series gives no people. Balance is a sum of two imperfect counters; its drift is shown, never clamped at zero.
"""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MODULUS = 2**29
HIGHEST_RATE_PER_S = 10.0
"""More people a second than any door or zone of a node lets through: a larger step is no step but a reset."""


def people(start_s: Ints, total: Floats, modulus: int = MODULUS) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return (people since the last present total, reset mask), both as long as `total`.

    People are NaN at the first total and where the total is missing; a reset is marked where the total began anew.
    """
    values = np.asarray(total, dtype=np.float64)
    counts, resets = np.full(len(values), np.nan), np.zeros(len(values), dtype=bool)
    present = np.flatnonzero(~np.isnan(values))
    if len(present) < 2:
        return counts, resets
    step = np.mod(np.diff(values[present]), modulus)
    most = np.maximum(np.diff(np.asarray(start_s, dtype=np.int64)[present]), 1) * HIGHEST_RATE_PER_S
    fell = step > most
    since_reset = np.where(values[present[1:]] <= most, values[present[1:]], np.nan)
    counts[present[1:]] = np.where(fell, since_reset, step)
    resets[present[1:]] = fell
    return counts, resets


def balance(people_in: Floats, people_out: Floats) -> Floats:
    """Return in minus out since the begin, as a running sum; a missing side of a row counts as nobody.

    What is inside at the begin is not known: the first value is the first row's difference. Negative values are real
    findings about the counter, not about people.
    """
    difference = np.nan_to_num(np.asarray(people_in, dtype=np.float64)) - np.nan_to_num(
        np.asarray(people_out, dtype=np.float64)
    )
    running: Floats = np.cumsum(difference)
    return running
