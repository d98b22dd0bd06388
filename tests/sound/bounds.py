"""A proof that no intermediate of the kernels leaves 32 bits: abstract numbers run through the kernels' own source.

A `Number` knows an interval and, where it is so, that it is a linear form of symbols: the states before the sample, the
sample, and one rounding error in (-1, 0] for each right shift. `weigh` is run on one sample. The linear forms of the
states after it are the filter's state equations; with them every other linear form gets the bound

    sum over t of |impulse response of the form to the sample| * 2**19  +  the same for every rounding error * 1

which an input of extreme samples with the signs of the response reaches but for the rounding (see `extremal`).
Everything else (masks, magnitudes, squares, sums) goes by interval arithmetic on these bounds. Comparisons that the
intervals leave open are followed both ways, the compared number narrowed accordingly (`fold`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.sound.checked import LEAST, MOST, Overflow

Form = dict[str, float]
INPUT, KEPT = "sample", 1 << 29
SAMPLE_MOST = 1 << 19
MARGIN = 1 + 1e-9  # for the part of the impulse responses that is cut off, e**-30 of the whole
STATES = ("Z1", "Z2", "LP1", "LP2", "LP3", "LP4")


EXPONENT_MOST = 24  # of a moving average: the largest step, 11, and what energy is above 2**28, and 10


class Impossible(Exception):
    """This way through the comparisons cannot be taken."""


@dataclass
class Proof:
    """What is known while a kernel runs: the responses (after the first pass), the decisions, and every result."""

    responses: dict[str, NDArray[np.float64]] | None = None  # symbol -> (time, state)
    linear: bool = True  # False: intervals only
    decisions: list[bool] = field(default_factory=list)
    taken: int = 0
    results: list[Number] = field(default_factory=list)
    errors: int = 0

    def bound(self, form: Form) -> float:
        """The largest magnitude of a linear form."""
        if self.responses is None:
            return float(SAMPLE_MOST)  # no matter what: the first pass only wants the forms
        weights = np.array([form.get(name, 0.0) for name in STATES])
        total = 0.0
        for symbol, response in self.responses.items():
            size = SAMPLE_MOST if symbol == INPUT else 1.0
            total += size * (abs(form.get(symbol, 0.0)) + float(np.abs(response @ weights).sum()))
        return total * MARGIN

    def decide(self) -> bool:
        """The next decision where a comparison is open."""
        if self.taken == len(self.decisions):
            self.decisions.append(True)
        self.taken += 1
        return self.decisions[self.taken - 1]


class Number:
    """An unknown integer low..high, `form` where it is linear; `sign_of` and `masked` mark idioms of the kernels."""

    def __init__(self, proof: Proof, low: float, high: float, form: Form | None = None) -> None:
        self.proof, self.low, self.high, self.form = proof, low, high, form
        self.sign_of: Number | None = None
        self.masked: Number | None = None

    def _result(self, low: float, high: float, form: Form | None = None) -> Number:
        if form is not None and self.proof.linear:
            limit = self.proof.bound(form)
            low, high = max(low, -limit), min(high, limit)
        number = Number(self.proof, low, high, form)
        self.proof.results.append(number)
        if self.proof.responses is not None and not (LEAST <= low and high <= MOST):
            raise Overflow(f"expected 32 bits, got {low:.0f} to {high:.0f}")
        return number

    def _linear(self) -> Form:
        if self.form is None:
            self.form = {INPUT: 1.0}
        return self.form

    def _sum(self, other: Any, sign: int) -> Number:
        if not isinstance(other, Number):
            return self._offset(sign * other)
        pairs = (self.low + sign * other.low, self.low + sign * other.high, self.high + sign * other.low)
        ends = (*pairs, self.high + sign * other.high)
        form = None
        if self.form is not None or other.form is not None:
            form = dict(self._linear())
            for symbol, factor in other._linear().items():
                form[symbol] = form.get(symbol, 0.0) + sign * factor
        return self._result(min(ends), max(ends), form)

    def _offset(self, number: int) -> Number:
        if self.masked is not None and number == -KEPT:
            original = self.masked
            if self.proof.responses is not None and not (-KEPT <= original.low and original.high < KEPT):
                raise Overflow(f"expected a kept value of 30 bits, got {original.low} to {original.high}")
            self.proof.results.append(original)
            return original
        return self._result(self.low + number, self.high + number)

    def __add__(self, other: Any) -> Number:
        return self._sum(other, 1)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Number:
        return self._sum(other, -1)

    def __rsub__(self, number: int) -> Number:
        return self._result(number - self.high, number - self.low)

    def __mul__(self, other: Any) -> Number:
        if isinstance(other, Number):
            ends = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
            return self._result(min(ends), max(ends))
        ends = [self.low * other, self.high * other]
        form = {symbol: other * factor for symbol, factor in self._linear().items()} if self.proof.linear else None
        return self._result(min(ends), max(ends), form)

    __rmul__ = __mul__

    def __rshift__(self, count: int) -> Number:
        _check_shift(count)
        form = None
        if self.form is not None:
            form = {symbol: factor / (1 << count) for symbol, factor in self.form.items()}
            self.proof.errors += 1
            form[f"error {self.proof.errors}"] = 1.0
        number = self._result(self.low // (1 << count), self.high // (1 << count), form)
        if count == 31:
            number.sign_of = self
        return number

    def __lshift__(self, count: int) -> Number:
        _check_shift(count)
        return self._result(self.low * (1 << count), self.high * (1 << count))

    def __and__(self, mask: int) -> Number:
        high = min(mask, self.high) if self.low >= 0 else mask
        number = self._result(0, high)
        number.masked = self if mask == 2 * KEPT - 1 and self.form is not None else None
        return number

    def __or__(self, other: Any) -> Number:
        high = other.high if isinstance(other, Number) else other
        low = other.low if isinstance(other, Number) else other
        if min(self.low, low) < 0:
            raise Overflow("expected an or of numbers without sign")
        return self._result(max(self.low, low), (1 << int(max(self.high, high)).bit_length()) - 1)

    __ror__ = __or__

    def __xor__(self, other: Any) -> Number:
        if isinstance(other, Number):
            assert other.sign_of is self, "expected y ^ y >> 31"
            return self._result(0, max(self.high, -self.low - 1))
        bits = max(int(self.high).bit_length(), other.bit_length())
        assert self.low >= 0 <= other, "expected no sign"
        number = self._result(0, (1 << bits) - 1)
        number.masked = self.masked
        return number

    def _narrow(self, low: float, high: float) -> None:
        self.low, self.high = max(self.low, low), min(self.high, high)
        if self.low > self.high:
            raise Impossible

    def __lt__(self, limit: Any) -> bool:
        least, most = (limit.low, limit.high) if isinstance(limit, Number) else (limit, limit)
        if self.high < least or self.low >= most:
            return bool(self.high < least)
        yes = self.proof.decide()
        self._narrow(*((LEAST, most - 1) if yes else (least, MOST)))
        return yes

    def __gt__(self, limit: Any) -> bool:
        least, most = (limit.low, limit.high) if isinstance(limit, Number) else (limit, limit)
        if self.low > most or self.high <= least:
            return bool(self.low > most)
        yes = self.proof.decide()
        self._narrow(*((least + 1, MOST) if yes else (LEAST, most)))
        return yes

    def __eq__(self, other: object) -> bool:
        assert self.low > 0 == other, "expected a comparison of a positive number with 0"
        return False

    __hash__ = None  # type: ignore[assignment]


def _check_shift(count: int) -> None:
    if not 0 <= count < 32:
        raise Overflow(f"expected a shift of 0..31, got {count}")


def coefficients(kernels: SimpleNamespace, numbers: tuple[int, ...], rate_hz: int, parts: tuple[int, int]) -> list[int]:
    """The memory c as the meter makes it."""
    return [*numbers, 0, rate_hz // 200, *parts, 25]


def _pass(kernels: SimpleNamespace, c: list[int], proof: Proof) -> dict[str, Number]:
    """Run `weigh` on one sample; the numbers that it leaves in s, and the magnitude."""
    c = [*c]
    c[kernels.SAMPLES] = 1
    states = [Number(proof, -proof.bound({name: 1.0}), proof.bound({name: 1.0}), {name: 1.0}) for name in STATES]
    p = [Number(proof, LEAST, MOST), 0]
    s: list[Any] = [*states, *[0] * (kernels.S_WORDS - 6)]
    kernels.weigh(0, p, c, s)
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
    """20-bit samples that drive a linear intermediate to its bound: its value in the last sample is that share of it."""
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


def prove_fold(kernels: SimpleNamespace, c: list[int], energy_most: int, step: int, exponent: int, blocks: int) -> int:
    """Follow `fold` from every state with a Fast average of that exponent, after up to `blocks` blocks.

    Overflow when anything leaves 32 bits; an AssertionError when the average leaves its normal form. Returns the number
    of ways. The Slow average goes through the same lines: prove it with its share in the place of Fast's.

    What intervals cannot see: at exponent 0 a mean is at least LEAST_0 = (samples << 20) - 41. No energy is below
    samples << 20 there (every magnitude is at least 1); a mean below the energy never falls; one above it falls to no less
    than the energy less 41, because (d >> 10) * part >> 6 is at least -0.04 d - 41 for d <= 0 and part <= 2570.
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
        kernels.fold(c, s)

    for _ in ways(run):
        count += 1
        mean, after = s[kernels.AVERAGES + kernels.MEAN], s[kernels.AVERAGES + kernels.EXPONENT]
        assert 1 << 26 <= mean.low <= mean.high < 1.04 * (1 << 28), (mean.low, mean.high)
        assert 0 <= after <= EXPONENT_MOST, after
    return count
