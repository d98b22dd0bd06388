"""Nova Fitness SDS011: particulate matter, UART 9600 8N1, a frame a second.

Frame: AA C0, PM2.5 and PM10 (little-endian, 0.1 ug/m3), two bytes of id, 8-bit sum of these six, AB. Others of the
family begin AA CF and mean something else. 0 and 0 is "no data yet". Captured frames are in the tests.

Orders (19 bytes): AA B4, order, set, value, zeros, FF FF (any device), sum, AB: 06 works, 02 reports by itself, 08
without pauses (SDS011 protocol V1.3). Its laser lasts 8000 h, eleven months of this. It has no word for a
fan that stands: that looks like clean air, and 0.0 beside 0.0 is missing here.
"""

from firmware.sensing.drivers.dust import RX_BYTES, Dust, Frames
from firmware.wire import quality

BAUD = 9600
WARM_UP_READS = 15  # airRohr waits 15 s
GAP_READS = 3
MOST = 9999  # 999.9 ug/m3


def order(code: int, value: int) -> bytes:
    """An order that sets something."""
    body = bytes((code, 1, value)) + bytes(10) + b"\xff\xff"
    return b"\xaa\xb4" + body + bytes((sum(body) & 0xFF, 0xAB))


ORDERS = (order(6, 1), order(2, 0), order(8, 0))


def open(row: dict, buses):
    """The driver for `{"driver": "sds011", "uart": N}`; optional pins "tx" and "rx"."""
    return Sds011(buses.uart(row, BAUD, RX_BYTES))


def sum_is_right(frame: bytearray) -> bool:
    """Whether sum and tail are right."""
    total = 0
    for i in range(2, 8):
        total += frame[i]
    return total & 0xFF == frame[8] and frame[9] == 0xAB


class Sds011(Dust):
    """See `firmware.sensing.drivers` for the protocol."""

    inputs = ("pm2_5", "pm10")
    channels = (("pm2_5", 0), ("pm10", 1))
    period_s = 2  # a second and a half now and then

    def __init__(self, uart) -> None:
        super().__init__(uart, Frames(b"\xaa\xc0", 10, sum_is_right), ORDERS, WARM_UP_READS, GAP_READS)

    def fill(self, frame: bytearray, values: list, flags: list, at: int) -> None:
        """Decode a good frame."""
        pm2_5, pm10 = frame[2] | frame[3] << 8, frame[4] | frame[5] << 8
        if not pm2_5 and not pm10:
            for i in (at, at + 1):
                flags[i] |= 0 if flags[i] else quality.FAULT
            return
        for i, mass in ((at, pm2_5), (at + 1, pm10)):
            flags[i] |= quality.OUT_OF_RANGE if mass > MOST else 0
            values[i] = mass
