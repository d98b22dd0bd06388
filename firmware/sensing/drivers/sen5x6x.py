"""What Sensirion's SEN55 and SEN66 have in common: one machine with two tables.

Rules that other drivers learned the hard way:

- "Unknown" has two codes: FFFF in unsigned words, 7FFF in signed ones. Both become None.
- The sensor repeats old values; only "data ready" says that there is a new one.
- Status bits stay set until read and cleared, so they are read and cleared with every reading.
- FFFE in a particulate word is a saturated or broken unit, not 6553.4 ug/m3.
- A stop takes up to 1.4 s. Nobody waits for it: the start is sent some reads later, for other sensors have a turn too.
"""

from firmware.sensing.drivers import SensorError, scaled
from firmware.sensing.drivers.repeats import Repeats, blank
from firmware.sensing.drivers.sensirion import Words
from firmware.wire import quality
from firmware.wire.quantities import QUANTITIES

START, STOP, DATA_READY, READ_AND_CLEAR_STATUS = 0x0021, 0x0104, 0x0202, 0xD210
READ_MS = 20
WARM_UP_READS = 30  # NOx is unknown for 10-11 s, CO2 for 5-6 s; particulate matter settles within 30 s
STALE_READS = 20  # a fan cleaning takes about 10 s; longer silence is a fault
STUCK_READS = 60  # humidity in 0.01 % and temperature in 0.005 K are never still for a minute
PM_RAW_MAX = 10000  # 1000 ug/m3, the end of the specified range


class Sen:
    """The driver of one type: `words` are (quantity, raw counts a unit, signed) an input, `read` the command for them.

    `status` holds (bit, inputs, flags, value is missing); `stop_reads` are the reads that a stop takes.
    """

    def __init__(self, i2c, address: int, words: tuple, read: int, status: tuple, stop_reads: int) -> None:
        self._words = Words(i2c, address, len(words))
        self._table, self._read, self._status = words, read, status
        self._stop_reads = stop_reads
        self._repeats = Repeats(3 * len(words), STUCK_READS)
        self._reads = self._stale = self._waits = 0

    async def start(self) -> None:
        """Stop a sensor that still measures from before our reset; `read` sends the start when the stop is over."""
        try:
            self._words.command(STOP)
            self._waits = self._stop_reads
        except OSError:
            self.begin(self._words)  # an idle sensor may refuse the stop; a missing one refuses the start as well
            self._waits = 0
        self._reads = self._stale = 0
        self._repeats.restart()

    async def read(self, values: list, flags: list, at: int) -> None:
        """Fill the inputs; all missing while there is no new measurement, SensorError when there is none for 20 s."""
        if self._waits:
            return self._wait(flags, at)
        self._reads += 1
        await self._words.query(DATA_READY, 1, READ_MS)
        if not self._words.unsigned(0) & 0xFF:
            return self._not_ready(flags, at)
        self._stale = 0
        await self._words.query(self._read, len(self._table), READ_MS)
        for i in range(len(self._table)):
            self._convert(i, values, flags, at + i)
        stuck = self._repeats.stuck(self._words.answer)
        await self._words.query(READ_AND_CLEAR_STATUS, 2, READ_MS)
        self._apply_status(values, flags, at)
        if stuck:
            blank(values, flags, at, len(self._table))

    def begin(self, words: Words) -> None:
        """Begin to measure, from idle: the place to set what can be set only there."""
        words.command(START)

    def _wait(self, flags: list, at: int) -> None:
        self._waits -= 1
        if not self._waits:
            self.begin(self._words)
        for i in range(len(self._table)):
            flags[at + i] |= quality.WARM_UP

    def _not_ready(self, flags: list, at: int) -> None:
        self._stale += 1
        if self._stale > STALE_READS:
            raise SensorError("expected new data every second, got none for %d s" % self._stale)
        for i in range(len(self._table)):
            flags[at + i] |= self._settling()

    def _settling(self) -> int:
        return quality.WARM_UP if self._reads <= WARM_UP_READS else 0

    def _convert(self, i: int, values: list, flags: list, at: int) -> None:
        name, per_unit, is_signed = self._table[i]
        raw = self._words.signed(i) if is_signed else self._words.unsigned(i)
        flags[at] |= self._settling()
        is_pm = name[:2] == "pm"
        if raw == (0x7FFF if is_signed else 0xFFFF):
            flags[at] |= 0 if self._settling() else quality.FAULT
        elif is_pm and raw == 0xFFFE:
            flags[at] |= quality.OUT_OF_RANGE
        else:
            flags[at] |= quality.OUT_OF_RANGE if is_pm and raw > PM_RAW_MAX else 0
            values[at] = scaled(raw, per_unit, QUANTITIES[name][1])

    def _apply_status(self, values: list, flags: list, at: int) -> None:
        high, low = self._words.unsigned(0), self._words.unsigned(1)
        if not high and not low:
            return
        for bit, inputs, flag, missing in self._status:
            if (high >> bit - 16 if bit > 15 else low >> bit) & 1:
                for i in inputs:
                    flags[at + i] |= flag
                    values[at + i] = None if missing else values[at + i]
