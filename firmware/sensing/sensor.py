"""A driver that may fail: its failures are flagged, counted and retried with back-off, and stop nothing else."""

from firmware.sensing.drivers import SensorError
from firmware.wire import quality
from firmware.wire.quantities import QUANTITIES

BACK_OFF_MAX_S = 60


class Sensor:
    """One configured sensor; `first` is the index of its first input in the sampler's lists.

    `on_error(text)` hears of every failure, one line with the sensor's name. `extremes` are quantities that a record
    gives beside the driver's channels: ("temperature_max", "temperature_min"); ValueError for one that cannot be.
    """

    def __init__(self, name: str, driver, first: int, on_error, extremes=()) -> None:
        self.name = name
        self.driver = driver
        self.first = first
        self.faults = 0
        self.channels = driver.channels + tuple([(extreme, _input(extreme, driver)) for extreme in extremes])
        self._on_error = on_error
        self._started = False
        self._failures_in_a_row = 0
        self._retry_at_s = 0

    @property
    def failing(self) -> bool:
        """True when the last reading failed."""
        return self._failures_in_a_row > 0

    async def poll(self, values: list, flags: list, uptime_s: int) -> None:
        """Read the driver into the lists, or flag its inputs FAULT; never raises."""
        if uptime_s < self._retry_at_s:
            return self._flag(values, flags)
        try:
            if not self._started:
                await self.driver.start()
                self._started = True
            await self.driver.read(values, flags, self.first)
            self._judge(values, flags)
            self._failures_in_a_row = 0
        except (OSError, SensorError) as error:
            self._fail("%s: %s" % (self.name, error), values, flags, uptime_s)
        except Exception as error:  # a bug in one driver must not blind the other sensors of a node nobody visits
            self._fail("%s: bug: %s %s" % (self.name, type(error).__name__, error), values, flags, uptime_s)

    def _judge(self, values: list, flags: list) -> None:
        """Take away what the quantity cannot be, whatever the sensor says."""
        at = self.first
        for name in self.driver.inputs:
            least, most = QUANTITIES[name][3:]
            if values[at] is not None and least is not None and not least <= values[at] <= most:
                values[at] = None
                flags[at] |= quality.OUT_OF_RANGE
            at += 1

    def _fail(self, reason: str, values: list, flags: list, uptime_s: int) -> None:
        self.faults += 1
        self._on_error(reason)
        self._retry_at_s = uptime_s + min(BACK_OFF_MAX_S, 1 << min(self._failures_in_a_row, 6))
        self._failures_in_a_row += 1
        self._started = False
        self._flag(values, flags)

    def _flag(self, values: list, flags: list) -> None:
        for i in range(self.first, self.first + len(self.driver.inputs)):
            values[i] = None
            flags[i] |= quality.FAULT


def _input(extreme: str, driver) -> int:
    """The input that "pm10_max" is made of."""
    name = extreme[:-4]
    if name not in driver.inputs or extreme not in QUANTITIES or QUANTITIES[extreme][2] not in ("max", "min"):
        raise ValueError("expected extremes of %s that are quantities, got %s" % (", ".join(driver.inputs), extreme))
    return driver.inputs.index(name)
