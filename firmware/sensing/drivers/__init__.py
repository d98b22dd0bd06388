"""Sensor drivers, opened by the name in the node's configuration (see `opening`).

The protocol of a driver:

    inputs          names of the quantities that read() fills, in order
    channels        what a record makes of them: (quantity, index of the input it comes from), in the order of the frame
    await start()   make the sensor measure; called before the first read and again after every failure
    await read(values, flags, at)
                    called once a second: values[at + i] = integer scaled by the quantity's denominator, or None;
                    flags[at + i] = quality bits, for each input i. Lists arrive cleared (None, 0)

Optional: period_s (1): a new reading comes every so many calls, and the inputs of the others stay None with no flag;
calibration: text for the channels record, what the numbers depend on; aggregate(): makes the record's aggregate for the
levels and percentiles of input 0, when the driver knows more than one number a second.

Both may raise OSError (the bus) or SensorError (the answer is wrong); the caller flags, counts and tries again. A
driver allocates nothing that grows, waits only by asyncio, and never longer than half a second.

Channels are ordered so that neighbours have similar numbers: the frame keeps one running sum through its columns.
"""


class SensorError(Exception):
    """A sensor answered what it may not answer; the text says what was expected and what came."""


def scaled(raw: int, raw_per_unit: int, denominator: int) -> int:
    """Rescale an integer reading, rounding half up: scaled(2449, 100, 10) is 245."""
    return (2 * raw * denominator + raw_per_unit) // (2 * raw_per_unit)
