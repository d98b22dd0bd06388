"""What PMS5003 and SDS011 have in common: a serial port on which frames with a sum come by themselves.

A stream may begin anywhere, and lose or gain bytes; a frame counts when head, length and sum are right. A pause that is
longer than the sensor's own rhythm is taken for a restart of the sensor: its fan has to settle again.
"""

from firmware.sensing.drivers import SensorError
from firmware.sensing.drivers.repeats import Repeats, blank
from firmware.wire import quality

RX_BYTES = 256
SILENT_READS = 8
STUCK_READS = 600  # in whole (PMS) or tenths of ug/m3 clean air stands still for minutes: see the captured frames


class Frames:
    """Finds frames of `size` bytes that begin with `head` and pass `check(buf)`; `garbage` counts other bytes."""

    def __init__(self, head: bytes, size: int, check) -> None:
        self._head, self._size, self._check = head, size, check
        self._buf = bytearray(size)
        self._length = 0
        self.frame = bytearray(size)
        self.garbage = 0

    def push(self, byte: int) -> bool:
        """Take one byte; True when it completed a good frame, which is in `frame` then."""
        self._buf[self._length] = byte
        self._length += 1
        while self._length and not self._fits():
            self._skip()
        if self._length < self._size:
            return False
        self._length = 0
        self.frame[:] = self._buf
        return True

    def _fits(self) -> bool:
        head, buf = self._head, self._buf
        for i in range(min(self._length, len(head))):
            if buf[i] != head[i]:
                return False
        return self._length < self._size or self._check(buf)

    def _skip(self) -> None:
        """Drop the first byte and everything up to the next that may begin a frame."""
        buf, length, start = self._buf, self._length, 1
        while start < length and buf[start] != self._head[0]:
            start += 1
        for i in range(start, length):
            buf[i - start] = buf[i]
        self._length = length - start
        self.garbage += start


class Dust:
    """A driver: `orders` are written at every start, `gap_reads` without a frame are a restart of the sensor.

    A subclass has `inputs`, `channels` and `fill(frame, values, flags, at)`.
    """

    inputs: tuple = ()
    channels: tuple = ()

    def __init__(self, uart, frames: Frames, orders: tuple, warm_up_reads: int, gap_reads: int) -> None:
        self._uart, self.frames, self._orders = uart, frames, orders
        self._warm_up_reads, self._gap_reads = warm_up_reads, gap_reads
        self._repeats = Repeats(len(frames.frame), STUCK_READS)
        self._chunk = bytearray(64)
        self._silent = 0
        self._settle = warm_up_reads

    async def start(self) -> None:
        """Wake the sensor and make it report by itself; a sensor that already does so loses nothing by it."""
        while self._uart.readinto(self._chunk):
            pass  # what came before the start belongs to no second
        for order in self._orders:
            self._uart.write(order)
        self._silent = 0
        self._settle = self._warm_up_reads
        self._repeats.restart()

    async def read(self, values: list, flags: list, at: int) -> None:
        """Fill the inputs from the newest frame since the last read; SensorError when there is none for 8 s."""
        fresh = self._take()
        self._silent = 0 if fresh else self._silent + 1
        if self._silent >= self._gap_reads:
            self._settle = self._warm_up_reads
        if self._silent > SILENT_READS:
            raise SensorError("expected a frame every second or two, got none for %d s" % self._silent)
        if self._settle:
            self._settle -= 1
            for i in range(at, at + len(self.inputs)):
                flags[i] |= quality.WARM_UP
        if fresh:
            self.fill(self.frames.frame, values, flags, at)
            if self._repeats.stuck(self.frames.frame):
                blank(values, flags, at, len(self.inputs))

    def fill(self, frame: bytearray, values: list, flags: list, at: int) -> None:
        """Decode a good frame."""
        raise NotImplementedError

    def _take(self) -> bool:
        fresh = False
        for _ in range(2 * RX_BYTES // len(self._chunk)):
            length = self._uart.readinto(self._chunk)
            if not length:
                break
            for i in range(length):
                fresh = self.frames.push(self._chunk[i]) or fresh
        return fresh
