"""Opens a serial port."""

from machine import UART, Pin


def open_uart(row: dict, baud: int, rx_bytes: int) -> UART:
    """UART `uart` of a sensor's row, 8N1, on its pins `tx` and `rx` or the port's own; holds `rx_bytes` unread.

    `readinto(buf)` gives the number of bytes that waited, None when there were none; it never waits itself.
    """
    pins = {name: Pin(row[name]) for name in ("tx", "rx") if name in row}
    return UART(row["uart"], baudrate=baud, rxbuf=rx_bytes, timeout=0, **pins)
