"""Integers that refuse to leave 32 bits, for running the kernels' source on CPython."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LEAST, MOST = -(1 << 31), (1 << 31) - 1


class Overflow(AssertionError):
    """An intermediate left 32 bits."""


class Int32(int):
    """An int whose every result must fit a signed 32-bit word; `log`, when it is a list, gets every result."""

    log: list[int] | None = None


def _checked(name: str) -> Callable[[Int32, int], Int32]:
    plain = getattr(int, name)
    shift = "shift" in name

    def method(self: Int32, other: int) -> Int32:
        if shift and not 0 <= other < 32:
            raise Overflow(f"expected a shift of 0..31, got {other}")
        result: int = plain(self, other)
        if not LEAST <= result <= MOST:
            raise Overflow(f"expected 32 bits, got {result} from {int(self)} {name} {int(other)}")
        if Int32.log is not None:
            Int32.log.append(result)
        return Int32(result)

    return method


for _name in ("add", "sub", "mul", "rshift", "lshift", "and", "or", "xor"):
    setattr(Int32, f"__{_name}__", _checked(f"__{_name}__"))
    if _name not in ("rshift", "lshift"):
        setattr(Int32, f"__r{_name}__", _checked(f"__r{_name}__"))


class Words(list[Any]):
    """A memory of 32-bit words: what is read from it is checked from then on."""

    def __getitem__(self, place: Any) -> Any:
        return Int32(super().__getitem__(place))


def slots(samples: list[int]) -> Words:
    """DMA slots of 20-bit samples in the first slot of every frame, signed words as a chip reads them."""
    return Words(word for sample in samples for word in (sample << 12, 0))
