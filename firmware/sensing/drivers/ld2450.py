"""HLK-LD2450, a 24 GHz radar that follows up to three persons, UART 256000 8N1: a counter of people over a line.

Report frames, 10 to 12 a second, 30 bytes: AA FF 03 00, three targets of x, y, speed and resolution (16 bits each,
little-endian, mm, mm, cm/s, mm), 55 CC. Sign and magnitude with bit 15 set for positive: 0E03 B186 1000 4001 is
(-782 mm, 1713 mm, -16 cm/s, 320 mm). A slot of zeros is empty. There is no checksum, so head, tail and ranges are
checked.

Commands: FD FC FB FA, length, command, value, 04 03 02 01; the answer repeats the command with 01 behind it and a
status of 0000. FF begins configuration, FE ends it, A4 with 0000 switches Bluetooth off after a restart (A3), A5 asks
for the MAC. Source: Hi-Link, LD2450 serial communication protocol V1.03 and manual V1.00; frames captured by
lnxusr1/kenzy-ld2450 (tests). That the MAC reads 08 05 04 03 02 01 while Bluetooth is off is ESPHome's finding.

Bluetooth is on when a module leaves the factory, and anybody near could set it up anew. So every start asks, and
switches it off and restarts the module where it is on; a module that refuses is not used.

A slot is no person: `footfall.tracks` follows them. `line` is ax, ay, bx, by in mm as installed, IN from its right to
its left as seen from A to B. Look at 45 degrees across the passage: people abreast and in line then differ in range,
which the radar tells apart, and not only in angle, which it does not.
"""

import asyncio
from array import array

from firmware.sensing.drivers import SensorError
from firmware.sensing.footfall.line import LineCounter
from firmware.wire import quality
from firmware.wire.batch import TOTAL_MODULUS

BAUD, RX_BYTES = 256000, 2048
FRAME_BYTES, FRAME_MS = 30, 90
HEAD, TAIL = b"\xaa\xff\x03\x00", b"\x55\xcc"
COMMAND_HEAD, COMMAND_TAIL = b"\xfd\xfc\xfb\xfa", b"\x04\x03\x02\x01"
BEGIN, END, RESTART, BLUETOOTH, MAC = 0xFF, 0xFE, 0xA3, 0xA4, 0xA5
NO_MAC = b"\x08\x05\x04\x03\x02\x01"
ANSWER_MS, POLL_MS = 300, 20
MOST_MM, MOST_CM_S, MOST_RESOLUTION_MM = 9000, 1000, 1000
SILENT_READS = 4  # a restart takes about two seconds
STUCK_FRAMES = 60  # a person's position is never the same for so long, not even asleep
STUCK_ERROR_READS = 10


def open(row: dict, buses):
    """The driver for `{"driver": "ld2450", "uart": N, "line": [ax, ay, bx, by]}`; pins "tx", "rx" if not the port's."""
    return Ld2450(buses.uart(row, BAUD, RX_BYTES), tuple(row["line"]))


class Frames:
    """Finds report frames in a stream that may begin anywhere and lose or gain bytes.

    After `push` has returned True: `count` targets at `xs`, `ys` (mm) with `speeds` (cm/s). `garbage` counts bytes
    that belonged to no frame, `rejected` frames with impossible numbers.
    """

    def __init__(self) -> None:
        self.count = self.garbage = self.rejected = self.frames = 0
        self.xs, self.ys, self.speeds = array("i", bytes(12)), array("i", bytes(12)), array("i", bytes(12))
        self.repeats = 0  # frames with targets that are all the same as the one before
        self._buf = bytearray(FRAME_BYTES)
        self._last = bytearray(FRAME_BYTES)
        self._length = 0

    def push(self, byte: int) -> bool:
        """Take one byte; True when it completed a good frame."""
        self._buf[self._length] = byte
        self._length += 1
        while self._length and not self._fits():
            self._skip()
        if self._length < FRAME_BYTES:
            return False
        self._length = 0
        if not self._decode():
            self.rejected += 1
            return False
        self.frames += 1
        self._compare()
        return True

    def _fits(self) -> bool:
        """True while the buffer is the beginning of a frame."""
        buf, length = self._buf, self._length
        for i in range(min(length, 4)):
            if buf[i] != HEAD[i]:
                return False
        return length < FRAME_BYTES - 1 or (buf[28] == TAIL[0] and (length < FRAME_BYTES or buf[29] == TAIL[1]))

    def _skip(self) -> None:
        """Drop the first byte and everything up to the next that may begin a frame."""
        buf, length, start = self._buf, self._length, 1
        while start < length and buf[start] != HEAD[0]:
            start += 1
        for i in range(start, length):
            buf[i - start] = buf[i]
        self._length = length - start
        self.garbage += start

    def _decode(self) -> bool:
        self.count = 0
        for at in (4, 12, 20):
            x, y = signed(self._buf, at), signed(self._buf, at + 2)
            speed, resolution = signed(self._buf, at + 4), self._buf[at + 6] | self._buf[at + 7] << 8
            if not (x or y or speed or resolution):
                continue
            if abs(x) > MOST_MM or not 0 <= y <= MOST_MM or abs(speed) > MOST_CM_S or resolution > MOST_RESOLUTION_MM:
                return False
            self.xs[self.count], self.ys[self.count], self.speeds[self.count] = x, y, speed
            self.count += 1
        return True

    def _compare(self) -> None:
        self.repeats = self.repeats + 1 if self.count and self._buf == self._last else 0
        self._last[:] = self._buf


def signed(buf, at: int) -> int:
    """Sign and magnitude, little-endian, at buf[at]: bit 15 set is positive; signed(b"\\x0e\\x03", 0) is -782."""
    raw = buf[at] | buf[at + 1] << 8
    return raw & 0x7FFF if raw & 0x8000 else -raw


class Ld2450:
    """See `firmware.sensing.drivers` for the protocol. `bluetooth_off` after start: True when the module said so."""

    inputs = ("footfall_in", "footfall_out")
    channels = (("footfall_in", 0), ("footfall_out", 1))

    def __init__(self, uart, line: tuple) -> None:
        self._uart = uart
        self.counter = LineCounter(line)
        self.frames = Frames()
        self.bluetooth_off = False
        self._chunk = bytearray(256)
        self._silent = self._stuck = 0
        self._missed = True  # what happened before the first frame was not counted

    async def start(self) -> None:
        """See to it that Bluetooth is off; SensorError when the module does not answer or refuses."""
        self._missed = True
        self._silent = self._stuck = 0
        self._drain()
        await self._ask(BEGIN, b"\x01\x00")
        answer = await self._ask(MAC, b"\x01\x00")
        if answer[:6] == NO_MAC:
            await self._ask(END, b"")
        else:
            await self._ask(BLUETOOTH, b"\x00\x00")
            await self._ask(RESTART, b"")
        self.bluetooth_off = True

    async def read(self, values: list, flags: list, at: int) -> None:
        """Take the frames since the last read and fill both totals; missing with STUCK while positions stand still.

        FAULT beside a total: in the interval that it ends, people may have crossed uncounted.
        """
        good = self._take_frames()
        self._silent = 0 if good else self._silent + 1
        if self._silent > SILENT_READS:
            raise SensorError("expected 10 frames a second, got none for %d s" % self._silent)
        self._stuck = self._stuck + 1 if self.frames.repeats >= STUCK_FRAMES else 0
        if self._stuck > STUCK_ERROR_READS:
            raise SensorError("expected targets that move, got the same frame for %d s" % self._stuck)
        flag = quality.STUCK if self._stuck else 0 if good else quality.WARM_UP
        counting = good > 0 and not self._stuck
        if self._missed and counting:
            flag |= quality.FAULT
        self._missed = not counting
        self._fill(values, flags, at, flag, counting)

    def _fill(self, values: list, flags: list, at: int, flag: int, counting: bool) -> None:
        for i in (0, 1):
            flags[at + i] |= flag
        if counting:
            values[at] = self.counter.entered % TOTAL_MODULUS
            values[at + 1] = self.counter.left % TOTAL_MODULUS

    def _take_frames(self) -> int:
        good, frames, counter = 0, self.frames, self.counter
        for _ in range(RX_BYTES // len(self._chunk) + 1):
            length = self._uart.readinto(self._chunk)
            if not length:
                break
            for i in range(length):
                if frames.push(self._chunk[i]):
                    good += 1
                    counter.step(frames.count, frames.xs, frames.ys, frames.speeds, FRAME_MS)
        return good

    def _drain(self) -> None:
        for _ in range(2 * RX_BYTES // len(self._chunk)):
            if not self._uart.readinto(self._chunk):
                return

    async def _ask(self, command: int, value: bytes) -> bytes:
        """Send a command; returns what follows the status in its answer; SensorError without one or when refused."""
        self._uart.write(COMMAND_HEAD + bytes((2 + len(value), 0, command, 0)) + value + COMMAND_TAIL)
        wanted = COMMAND_HEAD
        heard = b""
        for _ in range(ANSWER_MS // POLL_MS):
            await asyncio.sleep_ms(POLL_MS)
            length = self._uart.readinto(self._chunk)
            heard = (heard + bytes(self._chunk[: length or 0]))[-512:]
            at = heard.find(wanted)
            while at >= 0:
                body = _answer(heard, at, command)
                if body is not None:
                    return body
                at = heard.find(wanted, at + 1)
        raise SensorError("expected an answer to command %02x within %d ms, got none" % (command, ANSWER_MS))


def _answer(heard: bytes, at: int, command: int) -> bytes | None:
    """What follows the status of the answer to `command` at heard[at]; None when it is another's or incomplete."""
    if len(heard) < at + 6:
        return None
    length = heard[at + 4] | heard[at + 5] << 8
    body = heard[at + 6 : at + 6 + length]
    if len(body) < 4 or len(body) < length or heard[at + 6 + length : at + 10 + length] != COMMAND_TAIL:
        return None
    if body[0] != command or body[1] != 1:
        return None
    if body[2] or body[3]:
        raise SensorError("expected status 0 for command %02x, got %02x%02x" % (command, body[3], body[2]))
    return body[4:]
