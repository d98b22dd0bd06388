"""Numbers that survive a power cut: the chip's NVS, in the namespace of this firmware."""

from esp32 import NVS

_NAMESPACE = "citynode"


def read(key: str) -> int:
    """Return the number, 0 when there is none."""
    try:
        return NVS(_NAMESPACE).get_i32(key)
    except OSError:
        return 0


def write(key: str, value: int) -> None:
    """Keep a number of 31 bits; costs a write of flash."""
    nvs = NVS(_NAMESPACE)
    nvs.set_i32(key, value)
    nvs.commit()
