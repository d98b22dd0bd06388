"""Heating degree days: how much a day asked of the heating.

Formula: Gt20/15 = sum over heating days of (20 Cel - Tm), in K d; a heating day is a day whose mean outdoor
temperature Tm is below 15 Cel. Source: VDI 2067 part 1 and VDI 4710 (Gradtagzahl Gt); Deutscher Wetterdienst publishes
the same quantity as "degree days according to VDI 3807". It is not the Eurostat quantity (18 - Tm for Tm <= 15), nor
HDD15 (15 - Tm): Gt20/15 = HDD15 + 5 K x heating days.

Limits: Tm is the mean of the local day; a node on a warm wall or in the sun reads too high, a screened one at 2 m is
meant. A day that was not covered enough gets NaN and is not a day without heating.
"""

import numpy as np
import numpy.typing as npt

from device_manager.series.derived.local_time import HOUR_S, day_length_s, local_days

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ROOM_CEL = 20.0
HEATING_LIMIT_CEL = 15.0
MIN_HOURS = 20
"""Hours of a day of 24 that need a reading: four that miss move the mean of a sunny day by about one kelvin."""


def heating_degrees(daily_mean_cel: Floats, room_cel: float = ROOM_CEL, limit_cel: float = HEATING_LIMIT_CEL) -> Floats:
    """Return the degree days of each day in K d from its mean temperature, NaN where that is missing."""
    mean = np.asarray(daily_mean_cel, dtype=np.float64)
    return np.where(np.isnan(mean), np.nan, np.where(mean < limit_cel, room_cel - mean, 0.0))


def heating_degree_days(start_s: Ints, temperature_cel: Floats, zone: str) -> tuple[Ints, Floats, Floats]:
    """Return (local day since 1970-01-01, mean temperature in Cel, Gt20/15 in K d) for each day with a reading.

    The day's mean is the mean of its hourly means, so that dense hours weigh no more than thin ones.
    """
    known = ~np.isnan(np.asarray(temperature_cel, dtype=np.float64))
    times, values = np.asarray(start_s, dtype=np.int64)[known], np.asarray(temperature_cel, dtype=np.float64)[known]
    hours, at = np.unique(times // HOUR_S, return_inverse=True)
    hourly = np.bincount(at, values, len(hours)) / np.maximum(np.bincount(at, minlength=len(hours)), 1)
    days, at = np.unique(local_days(hours * HOUR_S, zone), return_inverse=True)
    count = np.bincount(at, minlength=len(days))
    missing = np.array([day_length_s(int(day), zone) // HOUR_S for day in days], dtype=np.int64) - count
    means = np.bincount(at, hourly, len(days)) / np.maximum(count, 1)
    means = np.where(missing > 24 - MIN_HOURS, np.nan, means)
    return days, means, heating_degrees(means)
