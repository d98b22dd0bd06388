"""Exact bounds for small fleets: a share of few, a rate of rare events, nobody where some were expected.

No normal approximations: they say that 0 of 5 is certain. Clopper and Pearson (1934), Biometrika 26, 404 for shares;
Garwood (1936), Biometrika 28, 437 for rates. Both hold at least the level that they name, for any true value.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

LEVEL = 0.95


def share_bounds(hits: int, of: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of a share from `hits` of `of`: two-sided; nothing known: (0, 1)."""
    if not 0 <= hits <= of:
        raise ValueError(f"expected 0 <= hits <= {of}, got {hits}")
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else _crossing(lambda p: 1 - _binomial_up_to(hits - 1, of, p), tail)
    high = 1.0 if hits == of else _crossing(lambda p: -_binomial_up_to(hits, of, p), -tail)
    return low, high


def rate_bounds(events: int, exposure: float, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact Poisson interval of a rate from `events` in `exposure` (days, node years): two-sided."""
    tail = (1 - level) / 2
    return _rate_low(events, tail) / exposure, rate_at_most(events, 1.0, 1 - tail) / exposure


def rate_at_most(events: int, exposure: float, level: float = LEVEL) -> float:
    """Return the one-sided upper bound of a rate; of no events it is 3.0 / exposure (the rule of three)."""
    top = events + 10 * math.sqrt(events + 1) + 20
    return top * _crossing(lambda x: -_poisson_up_to(events, top * x), -(1 - level)) / exposure


def surely_below(hits: int, of: int, share: float, level: float = LEVEL) -> bool:
    """Return whether the upper Clopper-Pearson bound of `hits` of `of` lies below `share`, without looking for it."""
    return _binomial_up_to(hits, of, share) < (1 - level) / 2


def median_bounds(rising: Sequence[float] | npt.NDArray[np.float64], level: float = LEVEL) -> tuple[float, float]:
    """Return the exact interval of a median from values in rising order: two of them, or (-inf, inf) below six values.

    The number of values below the median is binomial with share 1/2, whatever the distribution (Thompson 1936, Annals
    of Mathematical Statistics 7, 122).
    """
    tail, of = (1 - level) / 2, len(rising)
    if _binomial_up_to(0, of, 0.5) > tail:
        return -math.inf, math.inf
    cut = 0
    while _binomial_up_to(cut + 1, of, 0.5) <= tail:
        cut += 1
    return float(rising[cut]), float(rising[of - 1 - cut])


def nobody_by_chance(expected: float, shape: float) -> float:
    """Return the chance of a count of zero where `expected` were expected and the place is as lively as `shape` says.

    The activity of an hour or a few varies around its expectation like a gamma variable with coefficient of variation
    1/sqrt(shape), people come at random within it: a negative binomial, and zero has (1 + expected/shape)^-shape.
    """
    return float((1 + expected / shape) ** -shape)


def _rate_low(events: int, tail: float) -> float:
    if events == 0:
        return 0.0
    return events * _crossing(lambda x: 1 - _poisson_up_to(events - 1, events * x), tail)


def _binomial_up_to(hits: int, of: int, share: float) -> float:
    if share <= 0:
        return 1.0
    if share >= 1:
        return 1.0 if hits >= of else 0.0
    whole = math.lgamma(of + 1)
    log_p, log_q = math.log(share), math.log1p(-share)
    terms = (
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * log_p + (of - k) * log_q)
        for k in range(hits + 1)
    )
    return min(1.0, math.fsum(terms))


def _poisson_up_to(events: int, mean: float) -> float:
    if mean <= 0:
        return 1.0
    return min(1.0, math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(events + 1)))


def _crossing(rising: Callable[[float], float], target: float) -> float:
    """Return x in 0..1 at which a rising function meets the target, to 1e-12."""
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        if rising(middle) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2
