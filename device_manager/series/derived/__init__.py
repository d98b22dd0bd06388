"""Derived quantities: pure functions from readings to what people ask for, each with formula, source and limits.

    particulates        what a dry particle would have weighed: EPA 2021, kappa-Koehler
    air_quality_index   European Air Quality Index, bands of 2024 (and those before, for old reports)
    noise_periods       Lday, Levening, Lnight, Lden by national hours
    degree_days         heating degree days Gt20/15
    footfall            people in, out and present from monotonic totals modulo 2**29
    local_time          the clock on the wall at many moments

Times are int64 Unix seconds of an interval's begin, values float64 with NaN where missing; a result is NaN where its
inputs do not suffice. Nothing here changes a raw series: a derived quantity is a series of its own (`series.deriving`).
"""

from device_manager.series.derived.air_quality_index import EEA_2017, EEA_2024, Bands, index, worst
from device_manager.series.derived.degree_days import heating_degrees
from device_manager.series.derived.footfall import balance, people
from device_manager.series.derived.noise_periods import HOURS, NoiseHours, lden, mean_level, noise_hours
from device_manager.series.derived.particulates import epa_2021, kappa_koehler

__all__ = [
    "EEA_2017",
    "EEA_2024",
    "HOURS",
    "Bands",
    "NoiseHours",
    "balance",
    "epa_2021",
    "heating_degrees",
    "index",
    "kappa_koehler",
    "lden",
    "mean_level",
    "noise_hours",
    "people",
    "worst",
]
