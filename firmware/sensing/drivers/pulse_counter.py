"""A counting gate with two pulse outputs, one pulse a person: in and out.

Such gates (a double light beam, or a two-zone ToF sensor with its own controller) decide the direction themselves. The
pulses are counted by hardware (PCNT), so a busy node misses none. In and out are totals that only grow, modulo the
frame's modulus, from 0 at every start of the node: the manager takes differences. Occupancy is never published nor
clamped, because that would hide drift.
"""

from firmware.wire.batch import TOTAL_MODULUS


def open(row: dict, buses):
    """The driver for `{"driver": "pulse_counter", "in_pin": N, "out_pin": M}`."""
    return PulseCounter(buses.counter(row["in_pin"]), buses.counter(row["out_pin"]))


class PulseCounter:
    """See `firmware.sensing.drivers` for the protocol."""

    inputs = ("footfall_in", "footfall_out")
    channels = (("footfall_in", 0), ("footfall_out", 1))

    def __init__(self, entering, leaving) -> None:
        self._entering = entering
        self._leaving = leaving

    async def start(self) -> None:
        """Nothing to do: the counters run since they were opened, and a retry must not reset them."""

    async def read(self, values: list, flags: list, at: int) -> None:
        """Fill both totals."""
        values[at] = self._entering.value() % TOTAL_MODULUS
        values[at + 1] = self._leaving.value() % TOTAL_MODULUS
