"""Heating degree days: how much a day asked of the heating.

Formula: Gt20/15 = sum over heating days of (20 Cel - Tm), in K d; a heating day is a day whose mean outdoor
temperature Tm is below 15 Cel. Source: VDI 2067 part 1 and VDI 4710 (Gradtagzahl Gt); Deutscher Wetterdienst publishes
the same quantity as "degree days according to VDI 3807". It is not the Eurostat quantity (18 - Tm for Tm <= 15), nor
HDD15 (15 - Tm): Gt20/15 = HDD15 + 5 K x heating days.

Limits: Tm is the mean of the local day; a node on a warm wall or in the sun reads too high, a screened one at 2 m is
meant. Tm is the mean of hourly means (`series.deriving`); a day that was not covered enough has none, and is not a day
without heating.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ROOM_CEL = 20.0
HEATING_LIMIT_CEL = 15.0
MIN_HOURS = 20
"""Hours of a day of 24 that need a reading: four that miss move the mean of a sunny day by about one kelvin."""


def heating_degrees(daily_mean_cel: Floats, room_cel: float = ROOM_CEL, limit_cel: float = HEATING_LIMIT_CEL) -> Floats:
    """Return the degree days of each day in K d from its mean temperature, NaN where that is missing."""
    mean = np.asarray(daily_mean_cel, dtype=np.float64)
    return np.where(np.isnan(mean), np.nan, np.where(mean < limit_cel, room_cel - mean, 0.0))
