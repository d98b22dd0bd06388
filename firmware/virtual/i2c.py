"""Shim of `machine.I2C`: a bus with the models that virtual.json hangs on it, and its two lines.

The fault "stuck" of a model: from its first access on it holds SDA down, and the whole bus is dead, until SCL has been
clocked nine times (see `firmware.hal.i2c`); a bus without known pins cannot be clocked.
"""

ENODEV, ETIMEDOUT = 19, 116  # what esp32 raises for no acknowledge and for a held bus
HELD_CLOCKS = 9


class Line:
    """SCL or SDA of a bus, for whoever drives it as a pin."""

    def __init__(self, state: dict, is_clock: bool) -> None:
        self._state, self._is_clock = state, is_clock

    def get(self) -> int:
        """The level: SDA is low while a device holds it."""
        return 1 if self._is_clock or not self._state["held"] else 0

    def set(self, level: int) -> None:
        """Drive it: a rising SCL is a clock."""
        if self._is_clock and level and self._state["held"]:
            self._state["held"] -= 1


class I2C:
    """A bus; `lines` maps pin numbers to their Line."""

    lines = {}
    _states = {}

    def __init__(self, id: int = 0, scl: object = None, sda: object = None, freq: int = 400000) -> None:
        from machine import BOARD

        self._devices = BOARD.devices(id)
        self._state = I2C._states.setdefault(id, {"held": 0})
        if scl is not None:
            I2C.lines[scl.id], I2C.lines[sda.id] = Line(self._state, True), Line(self._state, False)

    def scan(self) -> list:
        """Addresses that answer."""
        return [address for address in sorted(self._devices) if self._devices[address].fault() != "nack"]

    def writeto(self, address: int, data: bytes, stop: bool = True) -> int:
        """Write to a device; returns the acknowledged bytes."""
        self._device(address).write(bytes(data))
        return len(data)

    def readfrom_into(self, address: int, buf: bytearray, stop: bool = True) -> None:
        """Fill `buf` from a device."""
        device = self._device(address)
        answer = device.read(len(buf))
        if device.fault() == "bad_crc":
            answer = answer[:2] + bytes((answer[2] ^ 1,)) + answer[3:]
        buf[:] = answer

    def _device(self, address: int) -> object:
        if self._state["held"]:
            raise OSError(ETIMEDOUT)
        device = self._devices.get(address)
        fault = device.fault() if device else "nack"
        if fault == "nack":
            raise OSError(ENODEV)
        if fault != "stuck":
            self._state[address] = False
        elif not self._state.get(address):
            self._state[address], self._state["held"] = True, HELD_CLOCKS
        if fault == "timeout" or self._state["held"]:
            raise OSError(ETIMEDOUT)
        return device
