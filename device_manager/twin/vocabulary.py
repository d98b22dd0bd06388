"""Quantities, units and aggregates in the words that other programs know.

Sources: UCUM for unit codes; QUDT 2.1 vocabulary for unit definitions; EEA pollutant codes (Eionet data dictionary,
vocabulary aq/pollutant) for particles and carbon dioxide; CF standard names (NERC vocabulary P07) for the weather; the
ELI of the directive for its noise indicators. What has no public definition is named by a URN of our own.
"""

from typing import NamedTuple

from device_manager.series.calendar import NOISE_DAY
from device_manager.series.deriving import DERIVED
from hardware.catalog import quantities

_QUDT = "http://qudt.org/vocab/unit/"
_EEA = "http://dd.eionet.europa.eu/vocabulary/aq/pollutant/"
_NOISE_DIRECTIVE = "http://data.europa.eu/eli/dir/2002/49/oj"
_CF = "http://vocab.nerc.ac.uk/standard_name/"


class Unit(NamedTuple):
    """A unit for people and programs; `symbol` is the UCUM code."""

    name: str
    symbol: str
    definition: str


class Aggregate(NamedTuple):
    """What a Datastream's observations stand for: `layer` ends its layerName, `duration` is ISO 8601 ("" for the
    node's own records), `period` the roll-up of `series` ("" for readings)."""

    name: str
    title: str
    layer: str
    duration: str
    period: str


_UNITS = (
    Unit("microgram per cubic metre", "ug/m3", _QUDT + "MicroGM-PER-M3"),
    Unit("degree Celsius", "Cel", _QUDT + "DEG_C"),
    Unit("percent", "%", _QUDT + "PERCENT"),
    Unit("hectopascal", "hPa", _QUDT + "HectoPA"),
    Unit("parts per million", "[ppm]", _QUDT + "PPM"),
    Unit("decibel", "dB", _QUDT + "DeciB"),
    Unit("count", "{count}", _QUDT + "NUM"),
    Unit("dimensionless", "1", _QUDT + "UNITLESS"),
    Unit("kelvin day", "K.d", "urn:ucum:K.d"),
)
UNITS = {unit.symbol: unit for unit in _UNITS}

AGGREGATES = (
    Aggregate("raw", "as measured", "Roh", "", ""),
    Aggregate("corrected", "corrected by calibration", "Korrigiert", "", ""),
    Aggregate("15min", "15 minutes", "15-Min", "PT15M", "15min"),
    Aggregate("1h", "1 hour", "1-Stunde", "PT1H", "1h"),
    Aggregate("1d", "1 local day", "1-Tag", "P1D", "1d"),
    Aggregate(NOISE_DAY, "1 noise day", "1-Laermtag", "P1D", NOISE_DAY),
)
BY_AGGREGATE = {aggregate.name: aggregate for aggregate in AGGREGATES}

_DEFINITIONS = {
    "pm1": _EEA + "6002",
    "pm2_5": _EEA + "6001",
    "pm10": _EEA + "5",
    "co2": _EEA + "71",
    "temperature": _CF + "air_temperature/",
    "relative_humidity": _CF + "relative_humidity/",
    "pressure": _CF + "air_pressure/",
    "lden": _NOISE_DIRECTIVE,
    "lnight": _NOISE_DIRECTIVE,
    "air_quality_index": "https://airindex.eea.europa.eu/",
}
_OF_EXTREMES = ("_min", "_max")
PARTICULATE = ("pm1", "pm2_5", "pm4", "pm10")
GASES = ("co2",)


def unit(symbol: str) -> Unit:
    """Return the unit of a UCUM code; one that is not in the list is its own name."""
    return UNITS.get(symbol) or Unit(symbol, symbol, f"urn:ucum:{symbol}")


def aggregates(quantity: str) -> tuple[Aggregate, ...]:
    """Return the aggregates in which there may be a quantity: a derived one has its own only."""
    if quantity in DERIVED:
        return (BY_AGGREGATE[DERIVED[quantity].period],)
    return tuple(aggregate for aggregate in AGGREGATES if aggregate.name != NOISE_DAY)


def duration(quantity: str, aggregate: Aggregate) -> str:
    """Return what an observation covers, in ISO 8601, "" for the node's own records; a night is no whole noise day."""
    return "PT8H" if quantity == "lnight" else aggregate.duration


def method(quantity: str) -> str | None:
    """Return by what rules a derived quantity is made, None for what is measured."""
    return DERIVED[quantity].method if quantity in DERIVED else None


def title(quantity: str) -> str:
    """Return what a quantity is called; one of a newer contract is its own title."""
    if quantity in DERIVED:
        return DERIVED[quantity].title
    known = quantities().get(quantity)
    return known.title if known else quantity


def definition(quantity: str) -> str:
    """Return the URI that says what a quantity is."""
    return _DEFINITIONS.get(quantity, f"urn:citynode:quantity:{quantity}")


def sensor_class(quantity: str) -> str:
    """Return what CEN/TS 17660 says of our sensors of that quantity; no class, as long as nobody has tested one."""
    plain = quantity
    for ending in _OF_EXTREMES:
        plain = plain.removesuffix(ending)
    if plain in (*PARTICULATE, "air_quality_index"):
        return "CEN/TS 17660-2:2024: not classified, not for regulatory use"
    if plain in GASES:
        return "CEN/TS 17660-1:2021: not classified, not for regulatory use"
    return "outside CEN/TS 17660"


def time_weighting(quantity: str) -> str | None:
    """Return the frequency weighting of a sound level, None for what is no sound level."""
    return "A" if quantity.startswith(("la", "lden", "lnight")) else None
