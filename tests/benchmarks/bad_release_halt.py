"""Bad releases on 100 nodes: how many got each before it was stopped, how long that took, who came back by itself.

Everything between node and decision is real: mosquitto with mutual TLS, ingest, store, shadows, courier, signed
releases, planner, and the gate, which reads the series of the frames that came. Two ways to be fast:

talking    100 nodes at protocol level (`tests.fleet.talking`: the firmware's own judging and fetching, real frames)
           with a week behind them; what a release does to a node is a model. The clock jumps ten minutes a step
firmware   the canaries are five virtual nodes on MicroPython with the fault in their sources, 95 talking ones beside
           them; the clock of all goes FACTOR times as fast. Trials last 900 s, as in the field

Short: all eight faults talking, and the crash at start on firmware. Full: the four faults that live in firmware on
firmware, too, and a good release that goes to all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from device_manager import updates
from device_manager.adapters.firmware_build import compile_firmware
from device_manager.fleet import local
from device_manager.releases.service import Releases, Wanted
from device_manager.rollouts import states
from firmware.wire import releases as wire
from tests.benchmarks.row import Row, at_most
from tests.fleet.city import PAST_S, City, FastClock, JumpClock
from tests.fleet.talking import BOARD, Fault
from tests.fleet.updating import BOARDS, sources

NODES, CANARIES, FACTOR = 100, 5, 40
STEP_S, HOUR_S, DAY_S = 600, 3600, 86_400
STAGES = (str(CANARIES), "20%", "all")
GIVE_UP_S, BACK_S = 4 * DAY_S, 3 * HOUR_S

FAULTS = (
    Fault("crashes at start", returns="started 3 times and was not confirmed", away_s=60),
    Fault("crashes after an hour", crash_s=HOUR_S),
    Fault("no Wi-Fi", returns="no connection in 3 trials of 900 s", away_s=2700),
    Fault("heap leak", leak_kb=4.0),
    Fault("PM missing", quantity="pm2_5", factor=None),
    Fault("sound flat", quantity="laeq", factor=0.0),
    Fault("footfall tripled", quantity="footfall_in", factor=3.0),
    Fault("node silent", silent=True),
)
_REPORT = "        self._reports += 1\n"
Change = tuple[str, str, str]
FIRMWARE: dict[str, Change] = {
    "crashes at start": ("app.py", "asyncio.run(node.run())", "node.no_such()"),
    "crashes after an hour": (
        "app.py", _REPORT, _REPORT + "        if self.clock.uptime_s() > 3600:\n            self.no_such()\n"
    ),
    "no Wi-Fi": ("hal/wifi.py", "return self._wlan.isconnected()", "return False"),
    "heap leak": ("app.py", _REPORT, _REPORT + '        self.leak = getattr(self, "leak", []) + [bytes(300)]\n'),
}  # fmt: skip
"""Fault -> file, text, and what stands there in the bad release."""


def run(short: bool) -> list[Row]:
    """Return a row for each bad release, and in the full form one for a good one."""
    with tempfile.TemporaryDirectory() as folder:
        rows = _talking(Path(folder), short)
    with tempfile.TemporaryDirectory() as folder:
        return rows + _on_firmware(Path(folder), ["crashes at start"] if short else list(FIRMWARE))


def _talking(folder: Path, short: bool) -> list[Row]:
    """Roll out one bad release after another on the same city, whose clock jumps."""
    clock = JumpClock()
    with City(folder, clock, NODES) as city:

        def step() -> None:
            clock.ms += 1000 * STEP_S
            city.step()

        city.connect(PAST_S)
        releases = replace(city.releases, compile_=lambda family, root: {"app.mpy": root.name.encode()})
        _build(releases, _text(folder / "first"))
        rows = []
        for fault in FAULTS:
            number = _build(releases, _text(folder / fault.name))
            city.faults[number] = fault
            rows.append(_halted(Trial(city, step, STAGES, "protocol level"), fault.name, number))
        return rows if short else [*rows, _good(city, step, _build(releases, _text(folder / "good")))]


def _on_firmware(folder: Path, names: list[str]) -> list[Row]:
    """Roll out bad firmware to five virtual nodes, after a release to which they can go back."""
    city, canaries = City(folder, FastClock(FACTOR), NODES - CANARIES), [f"virtual-{i}" for i in range(CANARIES)]
    city.add_virtual(canaries, compile_firmware(folder))
    with city:
        city.connect(0)
        stages = ("group:canary", "20%", "all")
        first = _build(city.releases, sources(folder / "first", {"__init__.py": lambda text: text + "# first\n"}))
        rollout = city.begin(first, *stages, gate=False, soak_s=7 * DAY_S)
        while city.rollout(rollout).counts()[wire.SUCCEEDED] < CANARIES:
            city.step()
        city.rollouts.abort(rollout, scope=local())
        trial = Trial(city, city.step, stages, f"MicroPython, {FACTOR} times as fast")
        return [_halted(trial, name, _build(city.releases, _sources(folder, name))) for name in names]


def _text(folder: Path) -> Path:
    """Write what the release service asks of sources; talking nodes run no code."""
    (folder / "firmware").mkdir(parents=True)
    (folder / "firmware" / "__init__.py").write_text('VERSION = "1.0.0"\n', "utf-8")
    return folder


def _sources(folder: Path, fault: str) -> Path:
    path, text, bad = FIRMWARE[fault]
    return sources(folder / fault, {path: lambda found: found.replace(text, bad)})


def _build(releases: Releases, root: Path) -> int:
    return releases.build(Wanted(root, {updates.VIRTUAL: [BOARD, *BOARDS]}), scope=local()).number


class Trial(NamedTuple):
    """Where bad releases are rolled out, and how time passes there."""

    city: City
    step: Callable[[], None]
    stages: tuple[str, ...]
    form: str


def _halted(trial: Trial, name: str, number: int) -> Row:
    """Roll a bad release out until it is halted, then until nobody runs it; the figure is who was ever to get it."""
    city, began_s = trial.city, trial.city.now_s
    rollout = city.begin(number, *trial.stages)
    while city.rollout(rollout).state == states.RUNNING and city.now_s - began_s < GIVE_UP_S:
        trial.step()
    halted, halted_s = city.rollout(rollout), city.now_s
    got = [name for name, one in halted.updates.items() if one.offered_ms]
    while _back(city, number, got) < len(got) and city.now_s - halted_s < BACK_S:
        trial.step()
    back, back_s = _back(city, number, got), city.now_s
    city.rollouts.abort(rollout, scope=local())
    beside = (
        f"halted after {(halted_s - began_s) / HOUR_S:.1f} h; {back} of {len(got)} on the old release without help "
        f"{(back_s - halted_s) / HOUR_S:.1f} h later; {halted.reason[:110]}"
    )
    is_stopped = halted.state == states.PAUSED and back == len(got)
    unit = f"of {NODES} nodes got it"
    return at_most(f"bad_release_halt, {name}", len(got) if is_stopped else NODES, unit, CANARIES, beside, trial.form)


def _back(city: City, number: int, names: Collection[str]) -> int:
    """Return how many are connected, and say that they run another release than the bad one."""
    known = city.shadows()
    return sum(bool(known[name].online) and known[name].release not in (number, None) for name in names)


def _good(city: City, step: Callable[[], None], number: int) -> Row:
    began_s = city.now_s
    rollout = city.begin(number, *STAGES, gate_every_s=12 * HOUR_S)  # many nodes: not every hour, to be done soon
    while city.rollout(rollout).state == states.RUNNING and city.now_s - began_s < 2 * GIVE_UP_S:
        step()
    found = city.rollout(rollout)
    without = NODES - found.counts()[wire.SUCCEEDED]
    beside = f"{(city.now_s - began_s) / HOUR_S:.0f} h; {found.state} {found.reason}"
    return at_most("bad_release_halt, good release", without, "nodes did not get it", 0, beside, "protocol level")
