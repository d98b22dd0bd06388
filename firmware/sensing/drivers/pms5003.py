"""Plantower PMS5003 and its family: particulate matter, UART 9600 8N1, a frame every 0.2 to 2.3 s.

Frame: 42 4D, length (big-endian, what follows), words, 16-bit sum of all bytes before it. Bytes 10, 12 and 14 hold PM1,
PM2.5 and PM10 "under atmospheric environment" in whole ug/m3; those at 4, 6 and 8 are for factories (CF=1). From length
28 on the last byte before the sum is an error code (PMS5003 manual V2.3, appendix: "version, error code"). Captured
frames of three types are in the tests. See `pms5003t` for the one with temperature and humidity.

Orders: 42 4D E4 00 01 wakes, E1 00 01 lets it report by itself. It settles for 30 s.
"""

from firmware.sensing.drivers.dust import RX_BYTES, Dust, Frames
from firmware.wire import quality

BAUD = 9600
ORDERS = (b"\x42\x4d\xe4\x00\x01\x01\x74", b"\x42\x4d\xe1\x00\x01\x01\x71")
WARM_UP_READS = 30
GAP_READS = 3  # 2.3 s is its slowest rhythm
PERIOD_S = 3
PM_AT = 10
MOST_UG = 1000  # the manual's maximum range
LENGTHS = {"pms5003": 28, "pms7003": 28, "pms3003": 20}  # model: length of its frames


def open(row: dict, buses):
    """The driver for `{"driver": "pms5003", "uart": N}`; optional "model" (pms5003), pins "tx" and "rx"."""
    model = row.get("model", "pms5003")
    if model not in LENGTHS:
        raise ValueError("expected a model of %s, got %s" % (", ".join(sorted(LENGTHS)), model))
    return Pms5003(buses.uart(row, BAUD, RX_BYTES), LENGTHS[model])


def sum_is_right(frame: bytearray) -> bool:
    """Whether the last two bytes are the sum of those before."""
    total = 0
    for i in range(len(frame) - 2):
        total += frame[i]
    return total == frame[len(frame) - 2] << 8 | frame[len(frame) - 1]


class Pms(Dust):
    """What the family has in common; `length` is what its frames say."""

    period_s = PERIOD_S

    def __init__(self, uart, length: int = 28) -> None:
        frames = Frames(bytes((0x42, 0x4D, 0, length)), length + 4, sum_is_right)
        super().__init__(uart, frames, ORDERS, WARM_UP_READS, GAP_READS)
        self._has_error = length >= 28

    def fill(self, frame: bytearray, values: list, flags: list, at: int) -> None:
        """Decode a good frame."""
        for i in range(3):
            mass_ug = frame[PM_AT + 2 * i] << 8 | frame[PM_AT + 2 * i + 1]
            flags[at + i] |= quality.OUT_OF_RANGE if mass_ug > MOST_UG else 0
            values[at + i] = 10 * mass_ug
        if self._has_error and frame[len(frame) - 3]:
            for i in range(at, at + len(self.inputs)):
                flags[i] |= quality.FAULT


class Pms5003(Pms):
    """See `firmware.sensing.drivers` for the protocol."""

    inputs = ("pm1", "pm2_5", "pm10")
    channels = (("pm1", 0), ("pm2_5", 1), ("pm10", 2))
