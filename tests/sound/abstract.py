"""Abstract numbers: what an expression of the kernels can be, whatever the samples; `bounds` proves with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.sound.checked import LEAST, MOST, Overflow

Form = dict[str, float]
INPUT, KEPT = "sample", 1 << 29
SAMPLE_MOST = 1 << 19
MARGIN = 1 + 1e-9  # for the part of the impulse responses that is cut off, e**-30 of the whole
STATES = ("Z1", "Z2", "LP1", "LP2", "LP3", "LP4")


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
        if self.proof.responses is not None and (low < LEAST or high > MOST):
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
            if self.proof.responses is not None and (original.low < -KEPT or original.high >= KEPT):
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
