"""One quantity at one site, as commands and pages show it: readings raw or corrected, or roll-ups, with names."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device_manager.errors import UsageError
from device_manager.ports import Site
from device_manager.registry import Registry
from device_manager.series import flags
from device_manager.series.archive import Archive, SiteRollUp
from device_manager.series.calendar import NOISE_DAY, PERIODS
from device_manager.series.deriving import DERIVED
from device_manager.series.lineup import Reading

RAW, CORRECTED = "raw", "corrected"
ROLLED_GRAINS = (*PERIODS, NOISE_DAY)
GRAINS = (RAW, CORRECTED, *ROLLED_GRAINS)
COLUMNS = ("number", "node", "site", "sensor", "quantity", "unit", "start", "end", "value", "quality", "calibration")
ROLLED = ("number", "node", "site", "sensor", "quantity", "unit", "start", "end", "value", "low", "high", "coverage",
          "quality")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one channel at the site: `number` are observation numbers, 0 where there is none yet; `low`, `high` and
    `coverage` are there for roll-ups only."""

    node: str
    sensor: str
    quantity: str
    unit: str
    number: npt.NDArray[np.int64]
    start_s: npt.NDArray[np.int64]
    end_s: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    flags: npt.NDArray[np.int64]
    calibration: npt.NDArray[np.int64] | None = None
    low: npt.NDArray[np.float64] | None = None
    high: npt.NDArray[np.float64] | None = None
    coverage: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.value)

    def usable(self) -> npt.NDArray[np.float64]:
        """Return the values, NaN for those that nobody shall calculate with."""
        return np.where(flags.usable(self.value, self.flags), self.value, np.nan)


class Charting:
    """Reads for commands and pages. `keep_up` brings roll-ups and numbers up to date first."""

    def __init__(self, archive: Archive, registry: Registry, keep_up: Callable[[], object]) -> None:
        self._archive = archive
        self._registry = registry
        self._keep_up = keep_up

    def site(self, name: str) -> Site:
        """Return the site; UsageError when there is none of that name."""
        return self._registry.site(name)

    def series(self, site: str, quantity: str, grain: str, since_s: int, until_s: int) -> list[Series]:
        """Return the channels of a quantity at a site; `grain` is one of GRAINS."""
        if grain not in GRAINS:
            raise UsageError(expected=" or ".join(GRAINS), got=repr(grain), todo="choose one of them")
        _check_quantity(quantity)
        site_id = self._registry.site(site).site_id
        self._keep_up()
        names = {node.node_id: node.name for node in self._registry.nodes()}
        if grain in ROLLED_GRAINS:
            rolled = self._archive.rollups(site_id, quantity, grain, since_s, until_s)
            return [named(found, names) for found in rolled]
        readings = self._archive.readings(site_id, quantity, since_s, until_s)
        return [self._read(reading, names, corrected=grain == CORRECTED) for reading in readings]

    def _read(self, reading: Reading, names: dict[int, str], *, corrected: bool) -> Series:
        line = reading.line
        number = self._archive.numbers(reading)
        if corrected:
            own = self._archive.numbers(reading, corrected=True)
            number = np.where(reading.calibration > 0, own, number)
        return Series(
            node=names[reading.node_id],
            sensor=line.channel.sensor,
            quantity=line.channel.quantity,
            unit=line.channel.unit,
            number=number,
            start_s=line.start_s,
            end_s=line.end_s,
            value=reading.corrected if corrected else line.value,
            flags=line.flags if corrected else line.flags & ~flags.CALIBRATED,
            calibration=reading.calibration if corrected else np.zeros_like(reading.calibration),
        )


def named(found: SiteRollUp, names: dict[int, str]) -> Series:
    """Return a roll-up with the name of its node."""
    rows, channel = found.rows, found.channel
    return Series(
        node=names[found.node_id],
        sensor=channel.sensor,
        quantity=channel.quantity,
        unit=channel.unit,
        number=found.number,
        start_s=rows.start_s,
        end_s=rows.end_s,
        value=rows.value,
        flags=rows.flags,
        low=rows.low,
        high=rows.high,
        coverage=rows.coverage,
    )


def objects(site: str, series: Series) -> Iterator[dict[str, Any]]:
    """Yield present values as objects with the columns COLUMNS, or ROLLED for roll-ups."""
    at = np.flatnonzero(~np.isnan(series.value))
    starts, ends = (_iso(times[at]) for times in (series.start_s, series.end_s))
    for place, start, end in zip(at.tolist(), starts, ends, strict=True):
        row = {
            "number": int(series.number[place]) or None,
            "node": series.node,
            "site": site,
            "sensor": series.sensor,
            "quantity": series.quantity,
            "unit": series.unit,
            "start": start,
            "end": end,
            "value": float(series.value[place]),
        }
        if series.coverage is not None and series.low is not None and series.high is not None:
            row |= {"low": float(series.low[place]), "high": float(series.high[place])}
            row["coverage"] = round(float(series.coverage[place]), 4)
        row["quality"] = ", ".join(flags.names(int(series.flags[place])))
        if series.calibration is not None:
            row["calibration"] = int(series.calibration[place]) or None
        yield row


def _iso(time_s: npt.NDArray[np.int64]) -> list[str]:
    texts: list[str] = np.datetime_as_string(time_s.astype("datetime64[s]"), timezone="UTC").tolist()
    return texts


def _check_quantity(quantity: str) -> None:
    from hardware.catalog import quantities

    if quantity not in quantities() and quantity not in DERIVED:
        todo = "use one of " + ", ".join((*quantities(), *DERIVED))
        raise UsageError(expected="a known quantity", got=repr(quantity), todo=todo)
