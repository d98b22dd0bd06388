"""Shim of `machine.I2S`: receives 32-bit stereo frames, as the DMA of an esp32 always does, from the wired model.

What the port does and a meter must bear: the DMA ring holds `ibuf` bytes, what comes while it is full is lost without a
word; `readinto` in asyncio mode gives what is there, which may be less than asked for.
"""

import io

from micropython import const

_POLL = const(3)
_READABLE = const(1)
_LEAST_MS = const(20)  # a chunk: the port asks a thousand times a second, and every answer costs


class I2S(io.IOBase):
    """A receiver; virtual.json wires it: `"i2s": {"0": "microphone"}`, which is also the default."""

    RX, TX, MONO, STEREO = 0, 1, 0, 1

    def __init__(
        self, id: int, sck: object = None, ws: object = None, sd: object = None, mode: int = 0, bits: int = 32,
        format: int = 1, rate: int = 32000, ibuf: int = 20000,
    ) -> None:  # fmt: skip
        from machine import BOARD

        if (mode, bits, format) != (I2S.RX, 32, I2S.STEREO):
            raise ValueError("expected RX, 32 bits, STEREO, got %s" % ((mode, bits, format),))
        module = BOARD.option("i2s", {"0": "microphone"}).get(str(id), "microphone")
        self._model = __import__("firmware.virtual.models." + module, None, None, ("make",)).make(BOARD, rate)
        self._board, self._rate, self._ring_frames = BOARD, rate, ibuf // 8
        self._started_ms = BOARD.elapsed_ms()
        self._taken = 0
        self._open = True

    def readinto(self, buf: bytearray) -> object:
        """Fill `buf` with what the ring holds; the number of bytes, None when there is nothing."""
        frames = min(self._held(), len(buf) // 8)
        if not frames:
            return None
        self._model.fill(buf, self._taken, frames)
        self._taken += frames
        return 8 * frames

    def ioctl(self, request: int, argument: int) -> int:
        """Answer poll: readable once 20 ms are there."""
        if request != _POLL:
            return 0
        return argument & _READABLE if self._held() >= self._rate * _LEAST_MS // 1000 else 0

    def readable_in_ms(self) -> int:
        """How long until then, 0 when it is; for a poll that does not wait by the PC's clock."""
        wanted = self._rate * _LEAST_MS // 1000 - self._held()
        return -(-wanted * 1000 // self._rate) if wanted > 0 else 0

    def deinit(self) -> None:
        """Stop the clock."""
        self._open = False

    def _held(self) -> int:
        """Frames in the ring; the oldest are skipped when more have come than it holds."""
        if not self._open:
            return 0
        made = (self._board.elapsed_ms() - self._started_ms) * self._rate // 1000
        if made - self._taken > self._ring_frames:
            self._taken = made - self._ring_frames
        return made - self._taken
