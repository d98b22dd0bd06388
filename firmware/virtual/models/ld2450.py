"""HLK-LD2450 at byte level: report frames about 11 times a second, and the commands that the driver uses.

Frames, their rate and the steps of the speed are as in the streams that tests/data/ld2450 holds; commands and answers
are those of Hi-Link's protocol V1.03 (the example answers of that document are in the tests). The MAC reads 08 05 04 03
02 01 while Bluetooth is off (ESPHome). Bluetooth is on at first, its switch takes effect at the restart, and is kept.

People walk from side to side in front of it, along x at y = 2.5 m: the line from (0, 4000) to (0, 1000) is theirs.

Faults: silent, frozen (the same frame for ever), garbage (bytes inserted and lost), half (frames end in the middle),
refuse (commands answered with status 1).
"""

import struct

from firmware.virtual.models import Draws
from firmware.virtual.models.passers import Passers

BAUD = 256000
FRAME_MS = 89
RESTART_MS = 1500
Y_MM, RESOLUTION_MM = 2500, 360
BEHIND_MS = 3000
COMMAND_HEAD, COMMAND_TAIL = b"\xfd\xfc\xfb\xfa", b"\x04\x03\x02\x01"
NO_MAC, SOME_MAC = b"\x08\x05\x04\x03\x02\x01", b"\x8f\x27\x2e\xb8\x0f\x65"


def make(board: object) -> object:
    """The model on `board`, over a street with people."""
    return Ld2450(board, Street(board))


def code(value: int) -> int:
    """Sign and magnitude as the radar writes it: bit 15 set is positive."""
    return value | 0x8000 if value >= 0 else -value & 0x7FFF


class Street:
    """What is in front: `targets(now_ms)` gives up to three (x mm, y mm, speed cm/s)."""

    def __init__(self, board: object) -> None:
        self._passers = Passers(board)
        self._draws = Draws(board.seed, 7)

    def targets(self, now_ms: int) -> list:
        """Everybody, with the noise of the radar."""
        out = []
        for along, speed, _ in self._passers.at(now_ms)[:3]:
            towards = along * speed // (10 * max(300, abs(along) + Y_MM))
            wander = int(self._draws.between(-60, 60))
            out.append((along + wander, Y_MM + wander // 2, towards // 8 * 8))
        return out


class Ld2450:
    """One radar; `take()` gives the bytes that it has sent since the last call."""

    baud = BAUD

    def __init__(self, board: object, scene: object) -> None:
        self._board = board
        self._scene = scene
        self._draws = Draws(board.seed, 6)
        self._next_ms = board.elapsed_ms()
        self._answers = b""
        self._heard = b""
        self._configuring = False
        self._last = self._frame([])
        self.bluetooth = self._wanted = True

    def write(self, data: bytes) -> None:
        """Take command bytes; whole commands are answered."""
        self._heard = (self._heard + data)[-256:]
        at = self._heard.find(COMMAND_HEAD)
        while at >= 0 and len(self._heard) >= at + 6:
            length = self._heard[at + 4] | self._heard[at + 5] << 8
            end = at + 10 + length
            if len(self._heard) < end:
                return
            self._command(self._heard[at + 6 : end - 4])
            self._heard = self._heard[end:]
            at = self._heard.find(COMMAND_HEAD)

    def take(self) -> bytes:
        """Everything sent since the last call, at most the frames of BEHIND_MS."""
        now = self._board.elapsed_ms()
        self._next_ms = max(self._next_ms, now - BEHIND_MS)
        out, self._answers = self._answers, b""
        while self._next_ms <= now:
            if not self._configuring and self.fault() != "silent":
                out += self._spoil(self._report(self._next_ms))
            self._next_ms += FRAME_MS
        return out if self.fault() != "silent" else b""

    def fault(self) -> str:
        """The fault of this part now."""
        return self._board.fault("ld2450")

    def _report(self, now_ms: int) -> bytes:
        if self.fault() != "frozen":
            self._last = self._frame(self._scene.targets(now_ms))
        elif self._last[4:28] == bytes(24):
            self._last = self._frame([(500, 1500, 0)])
        return self._last

    def _frame(self, targets: list) -> bytes:
        body = b""
        for x, y, speed in targets[:3]:
            body += struct.pack("<4H", code(x), code(y), code(speed), RESOLUTION_MM)
        return b"\xaa\xff\x03\x00" + body + bytes(24 - len(body)) + b"\x55\xcc"

    def _spoil(self, frame: bytes) -> bytes:
        fault = self.fault()
        if fault == "half":
            return frame[: int(self._draws.between(1, 29))]
        if fault == "garbage":
            at = int(self._draws.between(0, 29))
            noise = bytes(int(self._draws.between(0, 255)) for _ in range(3))
            return frame[:at] + noise + frame[at + 1 :]
        return frame

    def _command(self, body: bytes) -> None:
        command, value = body[0], body[2:]
        if command == 0xFF:
            self._configuring = True
            return self._answer(command, b"\x01\x00\x40\x00")
        if not self._configuring:
            return  # without 00FF before it a command has no effect
        handler = {0xFE: self._end, 0xA3: self._restart, 0xA4: self._set_bluetooth, 0xA5: self._mac}.get(command)
        self._answer(command, handler(value) if handler else b"")

    def _answer(self, command: int, more: bytes) -> None:
        status = b"\x01\x00" if self.fault() == "refuse" else b"\x00\x00"
        body = bytes((command, 1)) + status + more
        self._answers += COMMAND_HEAD + struct.pack("<H", len(body)) + body + COMMAND_TAIL

    def _end(self, value: bytes) -> bytes:
        self._configuring = False
        return b""

    def _restart(self, value: bytes) -> bytes:
        self.bluetooth = self._wanted
        self._configuring = False
        self._next_ms = self._board.elapsed_ms() + RESTART_MS
        return b""

    def _set_bluetooth(self, value: bytes) -> bytes:
        self._wanted = value[:2] != b"\x00\x00"
        return b""

    def _mac(self, value: bytes) -> bytes:
        return SOME_MAC if self.bluetooth else NO_MAC
