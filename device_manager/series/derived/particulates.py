"""Particulate matter corrected for humidity: what an optical sensor would have read in dry air.

Optical sensors see the water that particles take up; reference instruments dry the air first. No correction is right
for every sensor and every air, so each one says where it came from, and raw and corrected stay two series.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

KAPPA_URBAN = 0.4
"""Hygroscopicity of European urban background particles: Crilley et al. (2018) found 0.38 to 0.41 in Birmingham."""

PARTICLE_DENSITY = 1.65
"""Density of dry particles in g/cm3 that Crilley et al. (2018) assumed."""

KAPPA_HIGHEST_HUMIDITY = 95.0
"""Above it a hundredth of relative humidity moves the factor more than any sensor knows it."""


def epa_2021(pm2_5: Floats, relative_humidity: Floats) -> Floats:
    """Return PM2.5 in ug/m3 corrected by the piecewise equation of the US EPA (2021).

    Formula, with p the raw PM2.5 in ug/m3 and h the relative humidity in %:

        p = 0          0
        p < 30         0.524 p - 0.0862 h + 5.75
        30 <= p < 50   the same with the slope going linearly from 0.524 to 0.786
        50 <= p < 210  0.786 p - 0.0862 h + 5.75
        210 <= p < 260 the neighbours mixed, linearly
        260 <= p       2.966 + 0.69 p + 8.84e-4 p2
        below 0        0

    Source: Barkjohn, Gantt, Clements, Atmos. Meas. Tech. 14, 4617 (2021), doi:10.5194/amt-14-4617-2021, for p < 30;
    extended for smoke as in the AirNow Fire and Smoke Map, and for the "atmospheric" output as in AirGradient's
    firmware. Limits: fitted to means of an hour and more of Plantower sensors (PMS5003) outdoors in the United States;
    for other sensors (SEN5x, SPS30, SDS011) and for PM10 it is a guess. Humidity is the sensor's own.
    """
    p, h = np.asarray(pm2_5, dtype=np.float64), np.asarray(relative_humidity, dtype=np.float64)
    into_middle = np.clip(p / 20 - 1.5, 0.0, 1.0)
    into_smoke = np.clip(p / 50 - 4.2, 0.0, 1.0)
    linear = (0.524 + (0.786 - 0.524) * into_middle) * p - 0.0862 * h + 5.75
    smoke = 2.966 + 0.69 * p + 8.84e-4 * p * p
    mixed = np.where(into_smoke >= 1.0, smoke, (1 - into_smoke) * linear + into_smoke * smoke)
    corrected: Floats = np.where(p == 0, np.where(np.isnan(h), np.nan, 0.0), np.maximum(mixed, 0.0))
    return corrected


def kappa_koehler(
    pm: Floats, relative_humidity: Floats, kappa: float = KAPPA_URBAN, density: float = PARTICLE_DENSITY
) -> Floats:
    """Return PM (any size) in ug/m3 without the water of hygroscopic growth; NaN above 95 % relative humidity.

    Formula: pm / (1 + (kappa / density) / (1 / a - 1)), a = relative humidity / 100.
    Source: Crilley et al., Atmos. Meas. Tech. 11, 709 (2018), doi:10.5194/amt-11-709-2018, after Petters and
    Kreidenweis, Atmos. Chem. Phys. 7, 1961 (2007). Limits: one kappa for all particles of the place and season (0.1 for
    soot and organics, 0.6 for sulphate and nitrate); it takes off water and nothing else, the sensor's own gain stays.
    """
    h = np.asarray(relative_humidity, dtype=np.float64)
    activity = np.where((h >= 0) & (h <= KAPPA_HIGHEST_HUMIDITY), h, np.nan) / 100
    growth = 1 + (kappa / density) * activity / (1 - activity)
    dry: Floats = np.asarray(pm, dtype=np.float64) / growth
    return dry
