"""Levels of a record from the levels of its seconds: energetic mean and LN, from one histogram.

The histogram has steps of 0.1 dB, which is how a level arrives here, so nothing is lost by it. It takes 2.8 kB once and
no allocation afterwards, whatever the length of a record; its bins hold 65535 seconds.

- LAeq = 10 lg(mean of 10^(L/10)): energy is averaged, never decibels, and missing seconds shorten the time instead of
  counting as silence. The sum is taken relative to the loudest bin, so single precision is enough.
- LN is the level reached or exceeded in N % of the seconds: the k-th highest of n with k = ceil(N n / 100). These are
  statistics of 1-s LAeq, not of a Fast-weighted level.
"""

import math
from array import array

STEPS_PER_DB = 10
BINS = 140 * STEPS_PER_DB + 1


class Levels:
    """Collects levels in 0.1 dB as integers; values outside 0..140 dB count as the nearest end."""

    needs_half = True

    def __init__(self) -> None:
        self._bins = array("H", bytes(2 * BINS))
        self.count = 0
        self._lowest = BINS
        self._highest = -1

    def add(self, level: int) -> None:
        """Add one second of `level` (0.1 dB)."""
        level = min(max(level, 0), BINS - 1)
        self._bins[level] += 1
        self.count += 1
        self._lowest = min(self._lowest, level)
        self._highest = max(self._highest, level)

    def clear(self) -> None:
        """Begin a new record."""
        for i in range(self._lowest, self._highest + 1):
            self._bins[i] = 0
        self.count = 0
        self._lowest = BINS
        self._highest = -1

    def result(self, percent: int) -> int:
        """LN for N = `percent` 1..100, LAeq for 0; in 0.1 dB. Only with count > 0."""
        return self.exceeded(percent) if percent else self.equivalent()

    def equivalent(self) -> int:
        """LAeq of the record in 0.1 dB."""
        energy = 0.0
        for i in range(self._lowest, self._highest + 1):
            if self._bins[i]:
                energy += self._bins[i] * math.pow(10.0, (i - self._highest) / (10.0 * STEPS_PER_DB))
        return self._highest + math.floor(10.0 * STEPS_PER_DB * math.log10(energy / self.count) + 0.5)

    def exceeded(self, percent: int) -> int:
        """The level reached or exceeded in `percent` % of the seconds, in 0.1 dB."""
        wanted = max(1, (percent * self.count + 99) // 100)
        level = self._highest
        seen = self._bins[level]
        while seen < wanted:
            level -= 1
            seen += self._bins[level]
        return level
