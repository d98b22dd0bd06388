"""Models of sensors, and what they share: words with CRC, and numbers that a site draws from its seed.

An I2C model has write(bytes), read(count) -> bytes and fault() -> text; OSError is no acknowledge. A UART model has
baud, write(bytes), take() -> bytes sent since the last call, and fault().
"""

ENODEV = 19
_MULTIPLIER, _INCREMENT, _MODULUS = 1664525, 1013904223, 1 << 32  # Numerical Recipes' LCG


def crc8(high: int, low: int) -> int:
    """Sensirion's CRC-8 of one word (written apart from the driver's, so that one checks the other)."""
    crc = 0xFF
    for byte in (high, low):
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def with_crc(data: bytes) -> bytes:
    """Put a CRC behind every two bytes."""
    answer = b""
    for i in range(0, len(data), 2):
        answer += data[i : i + 2] + bytes((crc8(data[i], data[i + 1]),))
    return answer


class Draws:
    """A small seeded generator, so that a site is the same at every start and `random` stays the firmware's."""

    def __init__(self, seed: int, purpose: int) -> None:
        self._state = (seed * 2654435761 + purpose * 40503) % _MODULUS
        for _ in range(4):
            self.uniform()

    def uniform(self) -> float:
        """A number in (0, 1)."""
        self._state = (self._state * _MULTIPLIER + _INCREMENT) % _MODULUS
        return (self._state + 0.5) / _MODULUS

    def between(self, low: float, high: float) -> float:
        """A number between two."""
        return low + (high - low) * self.uniform()


class Part:
    """What models share: faults by name, and "brown_out": the supply dips once, when that fault appears."""

    name = ""

    def __init__(self, board: object) -> None:
        self._board = board
        self._dipped = False

    def fault(self) -> str:
        """The fault of this part now."""
        fault = self._board.fault(self.name)
        if fault != "brown_out":
            self._dipped = False
        elif not self._dipped:
            self._dipped = True
            self.power_on()
        return fault

    def power_on(self) -> None:
        """Forget everything that is not kept without power."""
