"""When a sensor's hours are used up, by its maker's figure (`life` of hardware/sensors, with its source). Pure.

>>> forecast("sds011", used_h=7000, rated_h=8000)
Life(sensor='sds011', used_h=7000, rated_h=8000, left_days=41.7)
"""

from typing import NamedTuple

_LEAST_DUTY = 0.01


class Life(NamedTuple):
    """Hours of fan and laser; `left_days` at the duty of now, negative when the hours are over."""

    sensor: str
    used_h: float
    rated_h: float
    left_days: float


def forecast(sensor: str, used_h: float, rated_h: float, duty: float = 1.0) -> Life:
    """Return the forecast of a sensor that runs for the share `duty` of the time."""
    return Life(sensor, used_h, rated_h, round((rated_h - used_h) / (24 * max(duty, _LEAST_DUTY)), 1))
