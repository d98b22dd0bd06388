"""What is worth looking up once an hour: certificates, how good each channel's last day was, and the life of sensors.

    python -m device_manager.prospects --data DIR     # prints JSON; a process of its own, for what it costs

Composition, beside `watching.py`; `citynode quality` shows the scores.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from device_manager.errors import SetupError
from device_manager.monitoring.grouping import Subject
from device_manager.periodic import Periodic, Step
from device_manager.settings import Settings, load

if TYPE_CHECKING:
    from device_manager.quality import Channel, Finding
    from device_manager.series import Series
    from device_manager.series.archive import Archive

DAY_S = 86_400
HOUR_S = 3600.0
COUNTERS_S = 36 * DAY_S
"""What is wrong with a counter shows against the same hours of its last weeks: four before eight days."""
NODES_AT_ONCE = 50
COUNTER_RULES = ("off", "crowd", "pattern")
Facts = Mapping[str, float]


class Rated(NamedTuple):
    """A channel's score for people."""

    node: str
    channel: str
    points: int
    reasons: tuple[str, ...]


class _Sources(NamedTuple):
    """Where readings and roll-ups are read; names of nodes by number, and numbers of sites by node."""

    series: "Series"
    archive: "Archive"
    names: dict[int, str]
    sites: dict[str, int]


def scores(settings: Settings, now_s: float, days: float = 1.0, zone: str = "Europe/Berlin") -> list[Rated]:
    """Return the score of every channel that measured within the last `days`, the worst first.

    Nodes are read some at a time, so that a region's day need not fit into memory.
    """
    from device_manager.adapters.codec_cbor2 import Cbor2Codec
    from device_manager.fleet import open_fleet
    from device_manager.measurements import open_measurements
    from device_manager.series import Series

    span_s = int(now_s - days * DAY_S), int(now_s)
    with open_fleet(settings) as fleet, open_measurements(settings) as measurements:
        nodes = fleet.registry.nodes()
        names = {node.node_id: node.name for node in nodes}
        sites = {node.name: node.site.site_id for node in nodes if node.site}
        measurements.keeper.advance()
        sources = _Sources(Series(fleet.reader, Cbor2Codec()), measurements.archive, names, sites)
        some = (list(names)[first : first + NODES_AT_ONCE] for first in range(0, len(names), NODES_AT_ONCE))
        rows = [row for node_ids in some for row in _rated(sources, node_ids, span_s, zone)]
    return sorted(rows, key=lambda row: (row.points, row.node, row.channel))


def _rated(sources: _Sources, node_ids: Sequence[int], span_s: tuple[int, int], zone: str) -> list[Rated]:
    """Return the scores of some nodes, each beside the others."""
    from device_manager.monitoring.flags import channel_facts
    from device_manager.monitoring.joining import channels_of
    from device_manager.monitoring.scores import score
    from device_manager.quality import check

    since_s, until_s = span_s
    read = sources.series.pages
    pages = [page for node_id in node_ids for page in read(node_id=node_id, since_s=since_s, until_s=until_s)]
    channels = channels_of(pages, sources.names)
    flagged: dict[str, float] = {}
    for page in pages:
        for (node_id, part), percent in channel_facts(page).items():
            name = f"{sources.names.get(node_id, '')}/{part}"
            flagged[name] = max(flagged.get(name, 0.0), percent / 100)
    findings = check(channels, zone) + _of_counters(sources, channels, span_s, zone)
    rated = [score(one.name, findings, flagged.get(one.name, 0.0), since_s, until_s) for one in channels]
    return [Rated(*_parts(one.channel), one.points, one.reasons) for one in rated]


def _of_counters(
    sources: _Sources, channels: "Sequence[Channel]", span_s: tuple[int, int], zone: str
) -> "list[Finding]":
    """Return what the last weeks say of counters, by the hour, as far as it still holds within `span_s`."""
    from device_manager.charting import named
    from device_manager.monitoring.joining import by_the_hour
    from device_manager.quality import check

    since_s, until_s = span_s
    counters = {
        (sources.sites[one.node], one.quantity) for one in channels if one.is_total and one.node in sources.sites
    }
    rolled = [
        named(one, sources.names)
        for site_id, quantity in sorted(counters)
        for one in sources.archive.rollups(site_id, quantity, "1h", until_s - COUNTERS_S, until_s)
    ]
    found = check([by_the_hour(one, until_s) for one in rolled], zone)
    return [one for one in found if one.rule in COUNTER_RULES and one.end_s > since_s]


def _parts(channel: str) -> tuple[str, str]:
    node, _, part = channel.partition("/")
    return node, part


def certificate_days(settings: Settings, now_s: float) -> dict[str, float]:
    """Return the days until the certificate of each node ends."""
    from device_manager.upkeep import in_use

    return {node: (end_s - now_s) / DAY_S for node, (_, end_s) in in_use(settings).items()}


def lives(settings: Settings, now_s: float) -> dict[tuple[str, str], float]:
    """Return {(node, sensor): days left} where hours are limited, as if it had run since its node was added."""
    from device_manager.fleet import open_fleet
    from device_manager.monitoring.life import forecast
    from hardware import catalog

    rated = {name: one.life_hours for name, one in catalog.sensors().items() if one.life_hours}
    found: dict[tuple[str, str], float] = {}
    with open_fleet(settings) as fleet:
        added_s = {node.node_id: node.added_ms / 1000 for node in fleet.registry.nodes()}
        names = {node.node_id: node.name for node in fleet.registry.nodes()}
        for value in fleet.readings.last_values().values():
            for one in value:
                hours = rated.get(one.sensor.rstrip("0123456789-_ ")) or rated.get(one.sensor)
                if hours and one.node_id in names:
                    used_h = max(0.0, now_s - added_s[one.node_id]) / 3600
                    found[names[one.node_id], one.sensor] = forecast(one.sensor, used_h, hours).left_days
    return found


def facts(settings: Settings, now_s: float) -> dict[Subject, dict[str, float]]:
    """Return all of it as facts by subject."""
    found: dict[Subject, dict[str, float]] = {}
    for node, days in certificate_days(settings, now_s).items():
        found[Subject(node)] = {"certificate_days": days}
    for (node, sensor), days in lives(settings, now_s).items():
        found[Subject(node, sensor)] = {"life_left_days": days}
    for row in scores(settings, now_s):
        found[Subject(row.node, row.channel)] = {"quality_score": float(row.points)}
    return found


class Prospecting(Periodic):
    """Runs this module beside the manager, so that ingest keeps its interpreter; `facts` is what the last run said."""

    def __init__(self, directory: Path, first_s: float = 0.0) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.facts: dict[Subject, dict[str, float]] = {}
        waits = "scores and certificates are those of an hour ago"
        super().__init__("prospects", Step(self._look_up, HOUR_S, first_s, waits))

    def stop(self) -> None:
        """End, and a run that is under way."""
        self._ended.set()
        if self._process is not None:
            self._process.kill()
        super().stop()

    def _look_up(self) -> None:
        """Take the answer of one run; SetupError when it fails, which leaves the facts as they were."""
        command = [sys.executable, "-m", "device_manager.prospects", "--data", str(self._directory)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            self._process = process
            if self.ending():
                process.kill()
            said, words = process.communicate()
        if process.returncode == 0:
            self.facts = {Subject(node, part): known for node, part, known in json.loads(said)}
        elif not self.ending():
            got = words.decode("utf-8", "replace")[-300:] or f"exit code {process.returncode}"
            raise SetupError(expected="facts from device_manager.prospects", got=got, todo="run it to see all it says")


def main(arguments: list[str] | None = None) -> None:
    """Print the facts as JSON: [[node, part, {fact: value}]...]; whoever waits for a page goes first."""
    if hasattr(os, "nice"):
        os.nice(10)
    parser = argparse.ArgumentParser(description="facts that are looked up once an hour")
    parser.add_argument("--data", type=Path, required=True)
    settings = load(parser.parse_args(arguments).data)
    rows: list[Any] = [[*subject, known] for subject, known in facts(settings, time.time()).items()]
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    main()
