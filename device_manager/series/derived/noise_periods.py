"""Lday, Levening, Lnight and Lden: levels of the parts of a day, and the day with 5 dB and 10 dB on evening and night.

Formula (Directive 2002/49/EC, annex I):

    Lden = 10 lg( (td 10^(Lday/10) + te 10^((Levening+5)/10) + tn 10^((Lnight+10)/10)) / 24 )

td, te, tn are the hours of the periods: 12, 4, 8 from 7:00 unless a country says otherwise; a member state may shorten
the evening by one or two hours and moves them to day or night. Limits: the directive's indicators are means over a year
at 4 m height without the reflection of the facade behind; what a node measures in a day is a "daily Lden" and carries
its coverage. Periods are hours of the local clock; on the days on which clocks change the night has 7 or 9 hours, and
its mean still enters with the 8 of the formula.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

EVENING_DB = 5.0
NIGHT_DB = 10.0


@dataclass(frozen=True, slots=True)
class NoiseHours:
    """Hours of the local clock at which day, evening and night begin; evening = night: no evening."""

    day: int
    evening: int
    night: int
    source: str

    @property
    def lengths(self) -> tuple[int, int, int]:
        """Hours of day, evening and night; together 24."""
        evening, night = (self.evening - self.day) % 24, (self.night - self.day) % 24
        return evening, night - evening, 24 - night


HOURS: Mapping[str, NoiseHours] = {
    "EU": NoiseHours(7, 19, 23, "Directive 2002/49/EC, annex I, unless a member state says otherwise"),
    "DE": NoiseHours(6, 18, 22, "34. BImSchV, section 2"),
    "AT": NoiseHours(6, 19, 22, "Bundes-LaermV, section 3"),
    "IT": NoiseHours(6, 20, 22, "D.Lgs. 194/2005: 6 to 20, 20 to 22, 22 to 6"),
    "FR": NoiseHours(6, 18, 22, "Code de l'environnement, R572: 6 to 18, 18 to 22, 22 to 6"),
}
"""By ISO 3166 code of the country of a site."""
_COUNTRIES = {
    "Europe/Berlin": "DE",
    "Europe/Busingen": "DE",
    "Europe/Vienna": "AT",
    "Europe/Rome": "IT",
    "Europe/Paris": "FR",
}


def mean_level(levels_db: Floats, weights: Floats | None = None) -> float:
    """Return the energetic mean in dB of levels, weighted by their durations; missing ones are left out, none: NaN."""
    levels = np.asarray(levels_db, dtype=np.float64)
    durations = np.ones_like(levels) if weights is None else np.asarray(weights, dtype=np.float64)
    known = ~np.isnan(levels)
    if not durations[known].sum() > 0:
        return float("nan")
    top = levels[known].max()  # keeps the powers of ten near one: exact for equal levels
    return float(top + 10 * np.log10(np.average(10 ** ((levels[known] - top) / 10), weights=durations[known])))


def lden(
    day_db: float, evening_db: float, night_db: float, hours: tuple[float, float, float] = (12.0, 4.0, 8.0)
) -> float:
    """Return Lden in dB from the levels of day, evening and night and the hours of each; a period of 0 h may be NaN."""
    raised = np.array([day_db, evening_db + EVENING_DB, night_db + NIGHT_DB])
    lasting = np.asarray(hours, dtype=np.float64) > 0
    if np.isnan(raised[lasting]).any():
        return float("nan")
    return mean_level(raised[lasting], np.asarray(hours, dtype=np.float64)[lasting])


def noise_hours(zone: str) -> NoiseHours:
    """Return the hours that hold in a time zone; those of the directive where no country is known to differ."""
    return HOURS[_COUNTRIES.get(zone, "EU")]
