"""Real traces as channels, and what is known to be wrong in them: see SOURCE.txt and faults.toml."""

from __future__ import annotations

import gzip
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from device_manager.quality import Channel, Finding

HERE = Path(__file__).parent
NODES = ("a", "b", "c", "d")
SIDE_BY_SIDE = (("a", "b"),)
AIR_ZONE, SOUND_ZONE, FOOTFALL_ZONE = "Europe/London", "America/Toronto", "Pacific/Auckland"
SENSORS = {"pm": "sds", "climate": "bme"}


@dataclass(frozen=True)
class Fault:
    """One known fault; `right` says whether a finding is about it."""

    name: str
    known: str
    channel: str
    rules: tuple[str, ...]
    start_s: float
    end_s: float
    value: float | None

    def right(self, found: Finding) -> bool:
        """Return whether channel, rule and interval fit."""
        overlaps = found.start_s < self.end_s and found.end_s > self.start_s
        named = found.channel == self.channel or found.channel.startswith((f"{self.channel}/", f"{self.channel}_"))
        return overlaps and named and found.rule in self.rules and self._says(found)

    def _says(self, found: Finding) -> bool:
        """Of two stuck ends of one channel the finding must name the right one; a jump names neither."""
        return self.value is None or found.rule == "jump" or f" {self.value:g}" in found.text


def faults() -> list[Fault]:
    """Return every known fault."""
    tables = tomllib.loads((HERE / "faults.toml").read_text("utf-8"))["fault"]
    return [
        Fault(
            t["name"], t["known"], t["channel"], tuple(t["rules"]), _unix(t["start"]), _unix(t["end"]), t.get("value")
        )
        for t in tables
    ]


def _unix(when: datetime) -> float:
    return when.timestamp()


def air(node: str) -> list[Channel]:
    """Return the channels of one of NODES; pressure in hPa."""
    channels = []
    for kind, sensor in SENSORS.items():
        columns = _columns(f"node_{node}_{kind}")
        times = columns.pop("start_s").astype(np.int64)
        if "pressure_pa" in columns:
            columns["pressure"] = columns.pop("pressure_pa") / 100
        channels += [Channel(node, name, times, values, sensor=sensor) for name, values in columns.items()]
    return channels


def sound() -> list[Channel]:
    """Return the one channel of LAeq by the minute."""
    columns = _columns("laeq_1min")
    return [Channel("monitor", "laeq", columns["start_s"].astype(np.int64), columns["laeq"], interval_s=60)]


def footfall() -> list[Channel]:
    """Return five channels of people an hour (not totals)."""
    columns = _columns("footfall_hourly")
    times = columns.pop("start_s").astype(np.int64)
    return [Channel(name, "footfall_in", times, people, interval_s=3600) for name, people in columns.items()]


def indoor(session: str) -> list[Channel]:
    """Return the channels of session a or b; the node was switched on at the first row."""
    columns = _columns(f"co2_{session}")
    times = columns.pop("start_s").astype(np.int64)
    boots = (int(times[0]),)
    return [Channel(f"co2_{session}", name, times, v, sensor="scd", boots_s=boots) for name, v in columns.items()]


def _columns(name: str) -> dict[str, np.ndarray]:
    with gzip.open(HERE / f"{name}.gz", "rt") as file:
        lines = [line.split() for line in file]
    return {title: _undone(words, int(scale)) for title, scale, *words in lines}


def _undone(words: list[str], scale: int) -> np.ndarray:
    missing = np.array([word == "x" for word in words])
    steps = np.array([0 if word == "x" else int(word) for word in words], dtype=np.int64)
    return np.where(missing, np.nan, np.cumsum(steps) / scale)
