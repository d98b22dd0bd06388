"""SEN66: see `sen5x6x`. Model only: no captured answers. Commands and states: docs.rs sen66-interface 1.1.0."""

from firmware.virtual.models import ENODEV, with_crc
from firmware.virtual.models.sen5x6x import CLEANING_MS, Sen


def make(board: object) -> object:
    """The model on `board`."""
    return Sen66(board)


class Sen66(Sen):
    """One sensor; `board` gives time, seed and faults. `altitude_m` is what it was told."""

    name = "sen66"
    has_co2 = True
    STOP_MS = 1400
    altitude_m = 0

    def ready(self, data: bytes) -> bytes:
        """Only while it measures."""
        if self._started_ms is None:
            raise OSError(ENODEV)
        return super().ready(data)

    def clean_fan(self, _: bytes) -> None:
        """Only in idle, where it refuses a start for so long."""
        if self._started_ms is not None:
            raise OSError(ENODEV)
        self._idle_at_ms = self._board.elapsed_ms() + CLEANING_MS

    def set_altitude(self, data: bytes) -> None:
        """Only in idle."""
        if self._started_ms is not None or with_crc(data[:2]) != data:
            raise OSError(ENODEV)
        self.altitude_m = data[0] << 8 | data[1]

    def product(self, _: bytes) -> bytes:
        """Its name in 32 bytes."""
        return with_crc(b"SEN66" + bytes(27))


Sen66.commands = {
    0x0021: Sen.start,
    0x0104: Sen.stop,
    0x0202: Sen66.ready,
    0x0300: Sen.values,
    0x5607: Sen66.clean_fan,
    0x6736: Sen66.set_altitude,
    0xD014: Sen66.product,
    0xD206: Sen.read_status,
    0xD210: Sen.read_and_clear_status,
}
