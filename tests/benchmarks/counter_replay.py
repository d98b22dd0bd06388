"""Counters that fail, for `fault_detection`: weeks of real footfall at the level of the protocol, by a set clock.

What is wrong with a counter shows against its own weeks, which no node can live through here. So frames are made of
real hours (people of a minute drawn from them), committed by the ingest that ships, and looked at every LOOK_H by the
prospects and the monitor that ship.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from device_manager import app, prospects
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_monitoring import SqlAlerts
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_sql import SqlStore
from device_manager.fleet import local, open_fleet
from device_manager.ingest.commit import Committer
from device_manager.monitoring.alert import Alert
from device_manager.ports import Incoming
from device_manager.settings import Settings
from device_manager.shadow import JsonFold
from device_manager.watching import Watcher
from tests.data import real_faults
from tests.fakes.speaker import Speaker

HISTORY_H, AFTER_H, LOOK_H = 35 * 24, 72, 3
FIRST_HOUR = 5000  # of the traces: a time without known faults
MOVED_H = 10  # from winter in Auckland to summer in Kempten
CHANNELS = (["footfall_in", "{count}", 1, "gate"],)
FAULTS = {"footfall tripled": 3.0, "footfall stuck": 0.0, "well": 1.0}
COUNTERS = (0, 1, 4)  # of the five


class Hands:
    """The `Clock` port of a clock that is set."""

    ms = 0

    def now_ms(self) -> int:
        return self.ms


class Gates:
    """One gate for each of FAULTS; every one fails after HISTORY_H hours."""

    def __init__(self, folder: Path) -> None:
        self.settings = app.initialise(folder / "gates", name="gates", host="127.0.0.1", port=None, broker="iotcore")
        self._hours = [real_faults.footfall()[at].value[FIRST_HOUR:] for at in COUNTERS]
        self._begin_s = int(real_faults.footfall()[0].start_s[FIRST_HOUR]) + 3600 * MOVED_H
        self._random = np.random.default_rng(1)
        self._speakers = [Speaker(name, log=1 + at) for at, name in enumerate(self.names)]
        self._totals = [0] * len(FAULTS)
        _register(self.settings, self.names)

    @property
    def names(self) -> list[str]:
        """Node ids, in the order of FAULTS."""
        return [f"gate-{at}" for at in range(len(FAULTS))]

    @property
    def fault_ms(self) -> int:
        """When the faults begin."""
        return 1000 * (self._begin_s + 3600 * HISTORY_H)

    def messages(self, first_h: int, end_h: int) -> list[Incoming]:
        """Return what all gates send in these hours."""
        found = [] if first_h else [speaker.channels(CHANNELS) for speaker in self._speakers]
        for hour in range(first_h, end_h):
            for at, factor in enumerate(FAULTS.values()):
                found += self._hour(at, hour, factor if hour >= HISTORY_H else 1.0)
        return found

    def _hour(self, at: int, hour: int, factor: float) -> list[Incoming]:
        people = self._random.poisson(np.full(60, np.nan_to_num(self._hours[at][hour]) / 60)) * factor
        totals = self._totals[at] + np.cumsum(people).astype(int)
        self._totals[at] = int(totals[-1])
        frames = []
        for first in range(0, 60, 30):
            start_s = self._begin_s + 3600 * hour + 60 * first
            frame = self._speakers[at].frame([[int(total)] for total in totals[first : first + 30]], start_s)
            frames.append(frame._replace(received_ms=1000 * (start_s + 1800)))
        return frames


def detected(folder: Path) -> tuple[dict[str, float], list[str]]:
    """Return {fault: seconds until its alert}, and alerts about nobody's fault."""
    gates, clock = Gates(folder), Hands()
    operations, store = Operations(gates.settings.database), SqlStore(gates.settings.database)
    committer = Committer(store, Cbor2Codec(), JsonFold())
    watcher = Watcher(gates.settings, lambda: False, lambda: 0, {}, lambda notices: None, clock)
    try:
        committer.commit(gates.messages(0, HISTORY_H - LOOK_H))
        for hour in range(HISTORY_H - LOOK_H, HISTORY_H + AFTER_H, LOOK_H):
            committer.commit(gates.messages(hour, hour + LOOK_H))
            clock.ms = gates.fault_ms + 3_600_000 * (hour + LOOK_H - HISTORY_H)
            watcher.slow = prospects.facts(gates.settings, clock.ms / 1000)
            watcher.look()
        return _judged(SqlAlerts(operations).newest(100), gates)
    finally:
        watcher.close()
        store.close()
        operations.close()


def _judged(alerts: list[Alert], gates: Gates) -> tuple[dict[str, float], list[str]]:
    seconds: dict[str, float] = {}
    wrong = []
    for alert in alerts:
        faults = [fault for fault, node in zip(FAULTS, gates.names, strict=True) if node in alert.nodes]
        if alert.rule != "channel-quality" or alert.raised_ms < gates.fault_ms or "well" in faults:
            wrong.append(f"{alert.rule} {alert.place}")
        for fault in faults:
            seconds[fault] = min(seconds.get(fault, np.inf), (alert.raised_ms - gates.fault_ms) / 1000)
    return {fault: seconds[fault] for fault in FAULTS if fault in seconds}, wrong


def _register(settings: Settings, names: list[str]) -> None:
    with open_fleet(settings) as fleet:
        for name in names:
            fleet.registry.add_site(name, name, 47.7, 10.3, 4.0, name, scope=local())
            fleet.registry.add_node(name, fleet.registry.site(name), 0, scope=local())
