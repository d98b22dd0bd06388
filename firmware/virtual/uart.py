"""Shim of `machine.UART`: the bytes of the model that virtual.json hangs on it, `"uart": {"1": "ld2450"}`.

What the port does and a driver must bear: `rxbuf` bytes are held and what comes while they are full is lost; a wrong
speed gives garbage; a model may begin in the middle of a frame. A UART with nothing on it receives nothing.
"""


class UART:
    """A serial port; models have `baud`, `write(data)` and `take()` -> bytes sent since the last call."""

    def __init__(
        self, id: int, baudrate: int = 9600, rxbuf: int = 256, tx: object = None, rx: object = None, **rest: object
    ) -> None:  # fmt: skip
        from machine import BOARD

        self._model = BOARD.uart(id)
        self._garbled = self._model is not None and baudrate != self._model.baud
        self._rxbuf = rxbuf
        self._held = b""

    def any(self) -> int:
        """How many bytes wait."""
        self._receive()
        return len(self._held)

    def read(self, nbytes: int = -1) -> object:
        """Take up to `nbytes`, None when there are none."""
        self._receive()
        count = len(self._held) if nbytes < 0 else nbytes
        out, self._held = self._held[:count], self._held[count:]
        return out or None

    def readinto(self, buf: bytearray, nbytes: int = -1) -> object:
        """Fill `buf` as far as bytes wait; their number, None when there are none."""
        out = self.read(len(buf) if nbytes < 0 else min(nbytes, len(buf)))
        if out is None:
            return None
        buf[: len(out)] = out
        return len(out)

    def write(self, data: bytes) -> int:
        """Send bytes."""
        if self._model and not self._garbled:
            self._model.write(bytes(data))
        return len(data)

    def _receive(self) -> None:
        if self._model:
            sent = self._model.take()
            if self._garbled:
                sent = bytes(byte ^ 0x5A for byte in sent)
            self._held += sent[: self._rxbuf - len(self._held)]
