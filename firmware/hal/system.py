"""The chip itself: why it started, how much memory is left, random numbers, and how to restart it."""

import gc
import os

import esp32
import machine

_CAUSES = (
    ("PWRON_RESET", "power on"),
    ("HARD_RESET", "hard reset"),
    ("WDT_RESET", "watchdog"),
    ("DEEPSLEEP_RESET", "deep sleep"),
    ("SOFT_RESET", "soft reset"),
)


def reset_cause() -> str:
    """Why the last start happened, in words; 'unknown 7' for a cause that this port names otherwise."""
    cause = machine.reset_cause()
    for name, words in _CAUSES:
        if getattr(machine, name, None) == cause:
            return words
    return "unknown %d" % cause


def random_u32() -> int:
    """32 random bits of the port's generator (esp32: hardware)."""
    return int.from_bytes(os.urandom(4), "big")


def heap_free_bytes() -> int:
    """Free bytes of the GC heap after a collection."""
    gc.collect()
    return gc.mem_free()


def tls_largest_bytes() -> int:
    """The largest free block of the heap that TLS takes its buffers from, which is not the GC heap."""
    return max(row[2] for row in esp32.idf_heap_info(esp32.HEAP_DATA))


def chip_temperature():
    """Degrees Celsius of the chip (ESP32-S2, -S3, -C3 and later), None where MicroPython cannot tell (ESP32)."""
    read = getattr(esp32, "mcu_temperature", None)
    return None if read is None else round(read())


def rtc_memory() -> object:
    """The function of machine.RTC that returns or keeps 2048 bytes."""
    return machine.RTC().memory


def reset() -> None:
    """Restart the chip; does not return."""
    machine.reset()


def watchdog(timeout_ms: int) -> machine.WDT:
    """Start the watchdog, which cannot be stopped again; feed it by `.feed()`."""
    return machine.WDT(timeout=timeout_ms)
