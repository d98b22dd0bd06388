"""A proof that no intermediate of the kernels leaves 32 bits: abstract numbers run through the kernels' own source.

A `Number` knows an interval and, where it is so, that it is a linear form of symbols: the states before the sample, the
sample, and one rounding error in (-1, 0] for each right shift. `weigh` is run on one sample. The linear forms of the
states after it are the filter's state equations; with them every other linear form gets the bound

    sum over t of |impulse response of the form to the sample| * 2**19  +  the same for every rounding error * 1

which an input of extreme samples with the signs of the response reaches but for the rounding (see `extremal`).
Everything else (masks, magnitudes, squares, sums) goes by interval arithmetic on these bounds. Comparisons that the
intervals leave open are followed both ways, the compared number narrowed accordingly (`follow`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.sound.abstract import INPUT, KEPT, SAMPLE_MOST, STATES, Impossible, Number, Proof
from tests.sound.checked import LEAST, MOST, Overflow

__all__ = ["KEPT", "LEAST", "MOST", "STATES"]
EXPONENT_MOST = 24  # of a moving average: the largest step, 11, and what energy is above 2**28, and 10


def coefficients(kernels: SimpleNamespace, numbers: tuple[int, ...], rate_hz: int, parts: tuple[int, int]) -> list[int]:
    """The memory c as the meter makes it."""
    return [*numbers, 0, rate_hz // 200, *parts]


def _pass(kernels: SimpleNamespace, c: list[int], proof: Proof) -> dict[str, Number]:
    """Run `weigh` on one sample; the numbers that it leaves in s, and the magnitude."""
    c = [*c]
    c[kernels.SAMPLES] = 1
    states = [Number(proof, -proof.bound({name: 1.0}), proof.bound({name: 1.0}), {name: 1.0}) for name in STATES]
    p = [Number(proof, LEAST, MOST), 0]
    s: list[Any] = [*states, *[0] * (kernels.S_WORDS - 6)]
    kernels.weigh(0, 0, 0, p, c, s)
    return {**{name: s[i] for i, name in enumerate(STATES)}, "PEAK": s[kernels.PEAK], "NEAR": s[kernels.NEAR_TOP]}


def _responses(after: dict[str, Number]) -> dict[str, NDArray[np.float64]]:
    """Impulse responses of the states to the sample and to every rounding error, (time, state)."""
    forms = [after[name].form or {} for name in STATES]
    symbols = sorted({symbol for form in forms for symbol in form} - set(STATES))
    a = np.array([[form.get(name, 0.0) for name in STATES] for form in forms])
    x = np.array([[form.get(symbol, 0.0) for symbol in symbols] for form in forms])
    largest_pole = np.max(np.abs(np.linalg.eigvals(a)))
    if largest_pole >= 1:
        raise Overflow(f"expected a stable filter, got a pole of magnitude {largest_pole:.3f}")
    length = int(30 / -np.log(largest_pole)) + 100
    history = np.empty((length, *x.shape))
    for t in range(length):
        history[t], x = x, a @ x
    return {symbol: history[:, :, i] for i, symbol in enumerate(symbols)}


def prove_weigh(kernels: SimpleNamespace, c: list[int]) -> tuple[Proof, dict[str, Number]]:
    """Bounds of every intermediate of `weigh`, in the order of its operations; Overflow when one leaves 32 bits."""
    first = Proof()
    responses = _responses(_pass(kernels, c, first))
    proof = Proof(responses)
    return proof, _pass(kernels, c, proof)


def extremal(proof: Proof, number: Number, share: float = 0.9995) -> list[int]:
    """20-bit samples that drive a linear intermediate to that share of its bound, with the last of them."""
    assert proof.responses is not None and number.form is not None
    weights = np.array([number.form.get(name, 0.0) for name in STATES])
    response = np.concatenate([[number.form.get(INPUT, 0.0)], proof.responses[INPUT] @ weights])
    reached = np.cumsum(np.abs(response))
    length = int(np.searchsorted(reached, share * reached[-1])) + 1
    return [SAMPLE_MOST - 1 if h > 0 else -SAMPLE_MOST for h in response[:length][::-1]]


def prove_square(kernels: SimpleNamespace, c: list[int], peak_most: int) -> tuple[int, int]:
    """Largest energy and step of `square` for magnitudes up to peak_most; Overflow when anything leaves 32 bits."""
    energy_most, step_most = 0, 0
    for bits in range(peak_most.bit_length() + 1):
        proof = Proof({}, False)
        s: list[Any] = [0] * kernels.S_WORDS
        s[kernels.PEAK] = Number(proof, 1 << bits >> 1, (1 << bits) - 1)
        kernels.square(0, [Number(proof, 0, (1 << bits) - 1)] * c[kernels.SAMPLES], c, s)
        energy_most = max(energy_most, int(s[kernels.ENERGY].high))
        step_most = max(step_most, s[kernels.STEP])
    return energy_most, step_most


def ways(run: Callable[[Proof], None]) -> Iterator[Proof]:
    """Run along every way through the open comparisons."""
    open_ways: list[list[bool]] = [[]]
    while open_ways:
        start = open_ways.pop()
        proof = Proof({}, False, [*start])
        try:
            run(proof)
        except Impossible:
            pass
        else:
            yield proof
        for i in range(len(start), len(proof.decisions)):
            open_ways.append([*proof.decisions[:i], False])


def prove_sums(kernels: SimpleNamespace, c: list[int], energy_most: int, step: int, exponent: int, blocks: int) -> int:
    """Follow `add` and `follow` from every state with a Fast average of that exponent, after up to `blocks` blocks.

    Overflow when anything leaves 32 bits; an AssertionError when the average leaves its normal form. Returns the number
    of ways. The Slow average goes through the same lines: prove it with its share in the place of Fast's.

    What intervals cannot see: at exponent 0 a mean is at least LEAST_0 = (samples << 20) - 41. No energy is below
    samples << 20 there (every magnitude is at least 1); a mean below the energy never falls; one above it falls to no
    less than the energy less 41, because (d >> 10) * part >> 6 is at least -0.04 d - 41 for d <= 0 and part <= 2570.
    """
    count = 0
    high_most = blocks * (((energy_most >> 30 - 2 * step) if step else 0) + (1 << 22) + 1)
    least = 1 << 26 if exponent else (c[kernels.SAMPLES] << 20) - 41
    s: list[Any] = []

    def run(proof: Proof) -> None:
        s[:] = [0] * kernels.S_WORDS
        s[kernels.ENERGY], s[kernels.STEP] = Number(proof, c[kernels.SAMPLES], energy_most), step
        for place in (kernels.SUM_LOW, kernels.SHORT_LOW):
            s[place], s[place + 1] = Number(proof, 0, (1 << 30) - 1), Number(proof, 0, min(high_most, MOST - (1 << 22)))
        fast, slow = kernels.AVERAGES, kernels.AVERAGES + kernels.AVERAGE_WORDS
        s[fast + kernels.MEAN], s[fast + kernels.EXPONENT] = Number(proof, least, (1 << 28) - 1), exponent
        s[slow + kernels.MEAN] = 0  # takes the energy as it is
        for average in (fast, slow):
            s[average + kernels.LARGEST], s[average + kernels.SMALLEST] = MOST, LEAST
        kernels.add(s)
        kernels.follow(c, s)

    for _ in ways(run):
        count += 1
        mean, after = s[kernels.AVERAGES + kernels.MEAN], s[kernels.AVERAGES + kernels.EXPONENT]
        assert 1 << 26 <= mean.low <= mean.high < 1.04 * (1 << 28), (mean.low, mean.high)
        assert 0 <= after <= EXPONENT_MOST, after
    return count
