"""A node's last health message as a card shows it: what each field is called, and its value for people. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from device_manager.web.words import Words

SHORT = {
    "pm1": "PM1", "pm2_5": "PM2.5", "pm2_5_max": "PM2.5, highest", "pm4": "PM4", "pm10": "PM10",
    "pm10_max": "PM10, highest", "temperature": "Temperature", "temperature_min": "Temperature, lowest",
    "temperature_max": "Temperature, highest", "relative_humidity": "Humidity", "pressure": "Pressure",
    "voc_index": "VOC", "nox_index": "NOx", "co2": "CO2", "co2_max": "CO2, highest", "footfall_in": "In",
    "footfall_out": "Out",
}  # fmt: skip
"""Names of quantities where there is little room; levels of sound are called as acousticians do."""


def short(quantity: str) -> str:
    """Return the name of a quantity in a word or two, English."""
    return SHORT.get(quantity) or quantity.replace("laf", "LAF", 1).replace("la", "LA", 1)


def _bytes(value: Any, words: Words) -> str:
    return f"{words.number(value / 1000)} kB"


def _count(value: Any, words: Words) -> str:
    return words.number(value)


def _with(unit: str) -> Callable[[Any, Words], str]:
    return lambda value, words: f"{words.number(value)} {unit}"


def _span(value: Any, words: Words) -> str:
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if value < limit:
            return f"{value // size} {unit}"
    return f"{value // 86_400} d"


def _counts(value: Any, _: Words) -> str:
    return ", ".join(f"{name} {count}" for name, count in value)


def _delays(value: Any, words: Words) -> str:
    return ", ".join(f"{name} {words.number(ms / 1000)} s" for name, ms in value)


def _text(value: Any, words: Words) -> str:
    return words.sentence(str(value))


FIELDS: dict[str, tuple[str, Callable[[Any, Words], str]]] = {
    "uptime_s": ("Running for", _span),
    "reset_cause": ("Cause of the start", _text),
    "time": ("Its clock", lambda value, words: words.time(value)),
    "rssi": ("Signal", _with("dBm")),
    "heap_free": ("Free memory", _bytes),
    "heap_floor": ("Least free memory", _bytes),
    "chip_temperature": ("Temperature of the chip", _with("°C")),
    "supply_mv": ("Supply", _with("mV")),
    "buffered": ("Records kept", _count),
    "lost": ("Records lost", _count),
    "resent": ("Records sent again", _count),
    "bad_watermarks": ("Watermarks refused", _count),
    "unknown": ("Messages not understood", _count),
    "faults": ("Faults of sensors", _counts),
    "lateness": ("Longest delays", _delays),
    "last_error": ("Last error", _text),
    "last_crash": ("Last crash", _text),
    "last_heap_floor": ("Least free memory before", _bytes),
    "last_lateness": ("Longest delays before", _delays),
    "boot": ("Start", _text),
}
"""Fields of `firmware.wire.messages` in the order of the card: English title, and how the value is written."""


def rows(health: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    """Return (title, value) of what a node said; what is empty or not known is left out."""
    return [
        (words(title), write(health[name], words))
        for name, (title, write) in FIELDS.items()
        if health.get(name) not in (None, "", [])
    ]
