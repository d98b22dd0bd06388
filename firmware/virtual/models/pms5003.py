"""PMS5003: see `dust`. Counts of particles are made from the masses; the driver does not read them."""

import struct

from firmware.virtual.models.air import PM1, PM2_5, PM10
from firmware.virtual.models.dust import Dust

VERSION, FAN_ERROR = 0x97, 0x02  # which bit means what is not in the manual


def make(board: object) -> object:
    """The model on `board`."""
    return Pms5003(board)


class Pms5003(Dust):
    """One sensor; `board` gives time, seed and faults."""

    name = "pms5003"

    def __init__(self, board: object) -> None:
        super().__init__(board, 16)

    def frame(self, air: tuple, fault: str) -> bytes:
        """Masses in whole ug/m3 twice, six counts, version and error code, sum."""
        masses = [air[i] // 10 for i in (PM1, PM2_5, PM10)]
        count = 30 * air[PM2_5] // 10 + int(self.draws.between(0, 40))
        counts = [count, count // 3, count // 9, count // 40, count // 300, count // 900]
        tail = (VERSION, FAN_ERROR if fault == "fan" else 0)
        body = b"\x42\x4d\x00\x1c" + struct.pack(">12H", *masses, *masses, *counts) + bytes(tail)
        return body + struct.pack(">H", sum(body))
