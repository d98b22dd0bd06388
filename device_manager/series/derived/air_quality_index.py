"""European Air Quality Index of the European Environment Agency: a level from 1 (good) to 6 (extremely poor).

The bands were revised in 2024 (ETC HE Report 2024/17, "EEA's revision of the European air quality index bands"): lower
breakpoints near the WHO guidelines of 2021, and hourly means for every pollutant, where particles had a running mean
of 24 hours before. Both versions are kept; a series says which one it was made with.

    index(np.array([4.2, 33.0]), EEA_2024.breakpoints["pm2_5"])  ->  [1.0, 3.0]

Limits: the agency's index of a station needs several pollutants (NO2 and particles at traffic sites; NO2, ozone and
particles elsewhere). From particles alone it is a part of the index and is called so. It is no statement about limit
values, which are means of a day and a year.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVELS = ("good", "fair", "moderate", "poor", "very poor", "extremely poor")


@dataclass(frozen=True, slots=True)
class Bands:
    """One version of the index: upper ends of levels 1 to 5 by pollutant in ug/m3, and the mean that they belong to."""

    version: str
    breakpoints: Mapping[str, tuple[float, ...]]
    mean_hours: Mapping[str, int]


EEA_2024 = Bands(
    "EEA 2024",
    {
        "pm2_5": (5, 15, 50, 90, 140),
        "pm10": (15, 45, 120, 195, 270),
        "no2": (10, 25, 60, 100, 150),
        "o3": (60, 100, 120, 160, 180),
        "so2": (20, 40, 125, 190, 275),
    },
    {"pm2_5": 1, "pm10": 1, "no2": 1, "o3": 1, "so2": 1},
)
"""ETC HE Report 2024/17; shown on airindex.eea.europa.eu since 2025."""

EEA_2017 = Bands(
    "EEA 2017, six levels",
    {
        "pm2_5": (10, 20, 25, 50, 75),
        "pm10": (20, 40, 50, 100, 150),
        "no2": (40, 90, 120, 230, 340),
        "o3": (50, 100, 130, 240, 380),
        "so2": (100, 200, 350, 500, 750),
    },
    {"pm2_5": 24, "pm10": 24, "no2": 1, "o3": 1, "so2": 1},
)
"""As it was before the revision of 2024; for comparison with older reports only."""


def index(concentration: Floats, breakpoints: Sequence[float]) -> Floats:
    """Return the level 1..6 of each concentration (ug/m3, mean over the hours of its bands), NaN where missing.

    The agency prints its bands in whole ug/m3 ("0-5, 6-15") and does not say what 5.4 is: here the concentration is
    rounded half up first, so 5.4 is good and 5.5 is fair. Below zero (noise of a sensor near zero) counts as zero.
    """
    whole = np.floor(np.maximum(np.asarray(concentration, dtype=np.float64), 0.0) + 0.5)
    level = np.searchsorted(np.asarray(breakpoints, dtype=np.float64), whole, side="left") + 1.0
    return np.where(np.isnan(whole), np.nan, level)


def worst(levels: Sequence[Floats]) -> Floats:
    """Return the highest level of several pollutants hour by hour; one that is missing does not count."""
    stacked = np.stack([np.asarray(one, dtype=np.float64) for one in levels])
    highest = np.max(np.where(np.isnan(stacked), -np.inf, stacked), axis=0)
    return np.where(np.isneginf(highest), np.nan, highest)
