"""What a record makes of its seconds: one aggregate a channel, chosen by the kind of its quantity.

    mean                arithmetic mean          level, percentile   see `noise`
    max, min            extreme                  total               the newest count

A driver that knows more than one level a second makes the aggregate itself (`aggregate()`, see `drivers`). A channel
with fewer than half of its readings is missing (a total needs one); a driver with a period of 5 s has 12 in a minute.
The flags of a present value are those of the seconds that made it; the flags of a missing one are those of the seconds
that are missing.
"""

from firmware.sensing.noise import Levels
from firmware.wire.quantities import QUANTITIES


class Mean:
    """Arithmetic mean of integers, rounded half up."""

    needs_half = True

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin a new record."""
        self.count = self._sum = 0

    def add(self, value: int) -> None:
        """Add one second."""
        self.count += 1
        self._sum += value

    def result(self, _: int) -> int:
        """The mean; only with count > 0."""
        return (2 * self._sum + self.count) // (2 * self.count)


class Pick:
    """One of the record's seconds: the largest, the smallest or the last."""

    def __init__(self, better, needs_half: bool = True) -> None:
        self._better = better
        self.needs_half = needs_half
        self.clear()

    def clear(self) -> None:
        """Begin a new record."""
        self.count = self._value = 0

    def add(self, value: int) -> None:
        """Add one second."""
        self._value = self._better(self._value, value) if self.count else value
        self.count += 1

    def result(self, _: int) -> int:
        """The picked value; only with count > 0."""
        return self._value


def _newest(_: int, value: int) -> int:
    return value


def _aggregate(kind: str):
    if kind == "max":
        return Pick(max)
    if kind == "min":
        return Pick(min)
    return Pick(_newest, False) if kind == "total" else Mean()


def _levels(driver, position: int):
    """The driver's own aggregate for the levels of its input 0, else one of 1-s levels."""
    return driver.aggregate() if position == 0 and hasattr(driver, "aggregate") else Levels()


class Record:
    """The open record of all `sensors`; `values` and `flags` (a channel each) are filled by `close`."""

    def __init__(self, sensors: list) -> None:
        self.names: list = []  # (quantity, sensor) a channel
        self._channels: list = []  # (input, aggregate, percent, seconds from reading to reading)
        self._feeds: list = []  # (input, aggregate), each aggregate once
        inputs = 0
        for sensor in sensors:
            self._add_channels(sensor)
            inputs += len(sensor.driver.inputs)
        self.values = [None] * len(self._channels)
        self.flags = [0] * len(self._channels)
        self._good = bytearray(inputs)
        self._missing = bytearray(inputs)
        self.seconds = 0

    def _add_channels(self, sensor) -> None:
        levels: dict = {}  # one histogram an input, shared by its LAeq and LN
        period_s = getattr(sensor.driver, "period_s", 1)
        for name, position in sensor.channels:
            kind = QUANTITIES[name][2]
            at = sensor.first + position
            percent = int(name[2:]) if kind == "percentile" else 0
            is_level = kind in ("level", "percentile")
            aggregate = levels.get(at) if is_level else None
            if aggregate is None:
                aggregate = _levels(sensor.driver, position) if is_level else _aggregate(kind)
                self._feeds.append((at, aggregate))
            if is_level:
                levels[at] = aggregate
            self._channels.append((at, aggregate, percent, period_s))
            self.names.append((name, sensor.name))

    def add(self, values: list, flags: list) -> None:
        """Add one second of all inputs."""
        self.seconds += 1
        for at in range(len(self._good)):
            bits = self._missing if values[at] is None else self._good
            bits[at] |= flags[at] & 255
        for at, aggregate in self._feeds:
            if values[at] is not None:
                aggregate.add(values[at])

    def close(self, seconds: int) -> None:
        """Fill `values` and `flags` for a record of `seconds`, and begin the next."""
        for i in range(len(self._channels)):
            at, aggregate, percent, period_s = self._channels[i]
            enough = aggregate.count and (2 * period_s * aggregate.count >= seconds or not aggregate.needs_half)
            self.values[i] = aggregate.result(percent) if enough else None
            self.flags[i] = self._good[at] if enough else self._missing[at] | self._good[at]
        self.clear()

    def clear(self) -> None:
        """Forget the open record."""
        self.seconds = 0
        for _, aggregate in self._feeds:
            aggregate.clear()
        for at in range(len(self._good)):
            self._good[at] = self._missing[at] = 0
