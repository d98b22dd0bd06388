"""SDS011: see `dust`."""

import struct

from firmware.virtual.models.air import PM2_5, PM10
from firmware.virtual.models.dust import Dust

ID = b"\x58\xd9"


def make(board: object) -> object:
    """The model on `board`."""
    return Sds011(board)


class Sds011(Dust):
    """One sensor; `board` gives time, seed and faults."""

    name = "sds011"

    def __init__(self, board: object) -> None:
        super().__init__(board, 17)

    def frame(self, air: tuple, fault: str) -> bytes:
        """PM2.5, PM10 in 0.1 ug/m3, id, sum."""
        noise = int(self.draws.between(-2, 3))
        masses = (0, 0) if fault == "fan" else (max(1, air[PM2_5] + noise), max(1, air[PM10] + noise))
        body = struct.pack("<2H", *masses) + ID
        return b"\xaa\xc0" + body + bytes((sum(body) & 0xFF, 0xAB))
