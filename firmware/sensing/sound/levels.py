"""LAeq and LN of a record from energies and 1/8-s levels, where the sampler's own aggregate sees one level a second.

`add` ignores the number it is given: the second's exact energy and its 1/8-s levels lie in the meter. LN is the level
reached or exceeded in N % of the 1/8-s LAeq; LAeq comes from the exact sum of the energies and the measured time.
"""

import math

from firmware.sensing.noise import Levels


class ShortLevels:
    """The record's levels of one `meter`; the same protocol as `firmware.sensing.noise.Levels`, count in seconds."""

    needs_half = True

    def __init__(self, meter) -> None:
        self._meter = meter
        self._histogram = Levels()
        self.clear()

    def clear(self) -> None:
        """Begin a new record."""
        self._histogram.clear()
        self.count = self._blocks = 0
        self._energy = 0.0

    def add(self, _: int) -> None:
        """Add the meter's last second."""
        meter = self._meter
        self.count += 1
        self._blocks += meter.blocks
        self._energy += meter.energy
        for i in range(meter.shorts):
            self._histogram.add(meter.short_levels[i])

    def result(self, percent: int) -> int:
        """LN for N = `percent` 1..100, LAeq for 0; in 0.1 dB. Only with count > 0."""
        if percent and self._histogram.count:
            return self._histogram.exceeded(percent)
        return math.floor(0.1 * self._meter.level_cdb(self._energy, self._blocks) + 0.5)
