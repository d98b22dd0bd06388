"""Opens the I2S bus of a microphone."""

from machine import I2S, Pin


def open_receiver(row: dict, rate_hz: int, dma_bytes: int) -> I2S:
    """A receiver of 32-bit stereo frames on the pins `sck`, `ws` and `sd` of a sensor's row, I2S unit `bus`."""
    pins = {name: Pin(row[name]) for name in ("sck", "ws", "sd")}
    return I2S(row["bus"], mode=I2S.RX, bits=32, format=I2S.STEREO, rate=rate_hz, ibuf=dma_bytes, **pins)
