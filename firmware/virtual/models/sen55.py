"""SEN55: see `sen5x6x`. Answers to 0021, 0202, 03C4 and D014 are held against a captured transcript (tests)."""

from firmware.virtual.models import ENODEV, with_crc
from firmware.virtual.models.sen5x6x import CLEANING_MS, Sen


def make(board: object) -> object:
    """The model on `board`."""
    return Sen55(board)


class Sen55(Sen):
    """One sensor; `board` gives time, seed and faults."""

    name = "sen55"

    def clean_fan(self, _: bytes) -> None:
        """Only while it measures."""
        if self._started_ms is None:
            raise OSError(ENODEV)
        self._cleaning_until_ms = self._board.elapsed_ms() + CLEANING_MS

    def product(self, _: bytes) -> bytes:
        """Its name in 32 bytes."""
        return with_crc(b"SEN55" + bytes(27))


Sen55.commands = {
    0x0021: Sen.start,
    0x0104: Sen.stop,
    0x0202: Sen.ready,
    0x03C4: Sen.values,
    0x5607: Sen55.clean_fan,
    0xD014: Sen55.product,
    0xD206: Sen.read_status,
    0xD210: Sen.read_and_clear_status,
}
