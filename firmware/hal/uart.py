"""Opens a serial port."""

from machine import UART, Pin


def open_uart(row: dict, baud: int, rx_bytes: int) -> UART:
    """UART `uart` of a sensor's row, 8N1, on its pins `tx` and `rx` (both, or the port's own); holds `rx_bytes` unread.

    `readinto(buf)` gives the number of bytes that waited, None when there were none; it never waits itself.
    """
    if "rx" in row:
        return UART(row["uart"], baudrate=baud, tx=Pin(row["tx"]), rx=Pin(row["rx"]), rxbuf=rx_bytes, timeout=0)
    return UART(row["uart"], baudrate=baud, rxbuf=rx_bytes, timeout=0)
