"""Faults of every kind at random moments, and what became of them.

    chaos = Chaos(fleet, random.Random(1))   # a Fleet with proxied=True
    chaos.run(60)
    chaos.heal()
    chaos.wait_until_back(90)
    print(chaos.table())

Kinds are dealt like cards, so that each has its turn. Nobody helps a node but its power supply, nor the manager but its
service supervisor, which starts one again that ended by itself. A node is *back* when
the manager's watermark of its log has moved after the fault was over; `heal` ends what is still going on.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from device_manager.errors import NodeError
from tests.fleet.fleet import Fleet
from tests.fleet.proxy import FAIR, Proxies, Weather

_POLL_S = 0.25
CLOCKS: tuple[Callable[[float], dict[str, float]], ...] = (
    lambda now_s: {"unix_s": now_s - 7200},
    lambda now_s: {"unix_s": now_s + 7200},
    lambda now_s: {"unix_s": 0, "sync_after_s": 5},
)


@dataclass(frozen=True)
class Kind:
    """A kind of fault: it lasts `seconds` (from, to) and hits `nodes` (at most) or, with 0, the host."""

    name: str
    seconds: tuple[float, float]
    nodes: int
    begin: Callable[[Chaos, int], None]
    end: Callable[[Chaos, int], None]


@dataclass
class Fault:
    """One fault: which nodes it hits, until when, and since when and how each was back (None: not yet)."""

    kind: Kind
    hit: list[int]
    until: float
    ended: float | None = None
    before: dict[int, int] = field(default_factory=dict)
    back_s: dict[int, float] = field(default_factory=dict)


class Chaos:
    """Torments one fleet."""

    def __init__(self, fleet: Fleet, rng: random.Random, slower: float = 1.0, pause_s: float = 2.0) -> None:
        """`slower` stretches all faults, `pause_s` is the mean time between two of them."""
        assert fleet.proxies, "expected a fleet with proxied=True"
        self.fleet = fleet
        self.proxies: Proxies = fleet.proxies
        self.rng = rng
        self.faults: list[Fault] = []
        self.not_running: dict[str, str] = {}  # nodes that ended for another reason than a reset of their own
        self._slower = slower
        self._pause_s = pause_s
        self.manager_restarts = 0  # it ended by itself, for instance because it found the disk full at its start
        self._next_tend = 0.0
        self._cards: list[Kind] = []
        self._off: set[int] = set()

    def run(self, seconds: float) -> None:
        """Begin and end faults for `seconds`."""
        until = time.monotonic() + seconds
        following = time.monotonic()
        while time.monotonic() < until:
            if time.monotonic() >= following:
                self._begin()
                following = time.monotonic() + self.rng.uniform(0.3, 1.7) * self._pause_s
            self._look()
            time.sleep(_POLL_S)

    def heal(self) -> None:
        """End all faults."""
        for fault in self.faults:
            fault.until = 0
        self._look()

    def wait_until_back(self, timeout_s: float) -> int:
        """Wait until every node is back after every fault; return how many nodes are not."""
        until = time.monotonic() + timeout_s
        while self._missing() and time.monotonic() < until:
            self._look()
            time.sleep(_POLL_S)
        return len(self._missing())

    def table(self) -> str:
        """Return the faults by kind with what became of them, as lines for people."""
        lines = [f"{'fault':24} {'times':>5} {'hit':>5} {'back':>5} {'median s':>9} {'worst s':>8}"]
        for kind in KINDS:
            faults = [fault for fault in self.faults if fault.kind is kind]
            hit = sum(len(fault.hit) for fault in faults)
            back = sorted(seconds for fault in faults for seconds in fault.back_s.values())
            times = f"{statistics.median(back):9.1f} {back[-1]:8.1f}" if back else f"{'-':>9} {'-':>8}"
            lines.append(f"{kind.name:24} {len(faults):5} {hit:5} {len(back):5} {times}")
        return "\n".join(lines)

    def cut_power(self, index: int) -> None:
        """Switch a node off until `power`."""
        self._off.add(index)
        self.fleet.kill_node(index)

    def power(self, index: int) -> None:
        """Switch a node on."""
        self._off.discard(index)
        self.fleet.nodes[index].start()

    def _begin(self) -> None:
        if not self._cards:
            self._cards = list(KINDS)
            self.rng.shuffle(self._cards)
        kind = self._cards.pop()
        going = [fault for fault in self.faults if fault.ended is None]
        taken = {index for fault in going if fault.kind.nodes for index in fault.hit}
        free = [index for index in range(len(self.fleet.nodes)) if index not in taken]
        if not kind.nodes and any(not fault.kind.nodes for fault in going) or kind.nodes and not free:
            self._cards.insert(0, kind)  # later
            return
        count = min(self.rng.randint(1, max(1, kind.nodes)), len(free))
        hit = self.rng.sample(free, count) if kind.nodes else list(range(len(self.fleet.nodes)))
        lasts_s = self.rng.uniform(*kind.seconds) * self._slower
        self.faults.append(Fault(kind, hit, time.monotonic() + lasts_s))
        for index in hit if kind.nodes else [0]:
            kind.begin(self, index)

    def _look(self) -> None:
        """End what is over, be the power supply, and see who is back."""
        now = time.monotonic()
        for fault in self.faults:
            if fault.ended is None and fault.until <= now:
                for index in fault.hit if fault.kind.nodes else [0]:
                    fault.kind.end(self, index)
                fault.ended = time.monotonic()
        self._tend()
        names = [node.name for node in self.fleet.nodes]
        committed = self.fleet.committed()
        for fault in self.faults:
            if fault.ended is None or len(fault.back_s) == len(fault.hit):
                continue
            for index in fault.hit:
                before = fault.before.setdefault(index, committed.get(names[index], 0))
                if index not in fault.back_s and committed.get(names[index], 0) > before:
                    fault.back_s[index] = time.monotonic() - fault.ended

    def _tend(self) -> None:
        if time.monotonic() >= self._next_tend:  # as systemd with RestartSec=2
            self._next_tend = time.monotonic() + 2
            self.manager_restarts += self.fleet.tend_manager()
        for index, node in enumerate(self.fleet.nodes):
            if index in self._off or node.name in self.not_running:
                continue
            try:
                node.tend()
            except NodeError as error:
                self.not_running[node.name] = str(error)

    def _missing(self) -> set[int]:
        """Return the nodes that are not back after some fault."""
        return {index for fault in self.faults for index in fault.hit if index not in fault.back_s}


def _weather(weather: Weather) -> Callable[[Chaos, int], None]:
    return lambda chaos, index: chaos.proxies.set(index, weather)


def _wifi_down(chaos: Chaos, index: int) -> None:
    chaos.fleet.board(index, wifi="down")
    chaos.proxies.set(index, Weather(swallow=True))


def _wifi_up(chaos: Chaos, index: int) -> None:
    chaos.proxies.set(index, FAIR)
    chaos.fleet.board(index, wifi="up")


def _jump(chaos: Chaos, index: int) -> None:
    chaos.fleet.kill_node(index)
    chaos.fleet.board(index, clock=chaos.rng.choice(CLOCKS)(time.time()))
    chaos.fleet.nodes[index].start()


def _set_right(chaos: Chaos, index: int) -> None:
    chaos.fleet.kill_node(index)
    chaos.fleet.board(index, clock=None)
    chaos.fleet.nodes[index].start()


def _nothing(chaos: Chaos, index: int) -> None:
    return


def _reset(chaos: Chaos, index: int) -> None:
    chaos.proxies.reset(index)


def _kill_broker(chaos: Chaos, index: int) -> None:
    chaos.fleet.kill_broker()


def _fill_disk(chaos: Chaos, index: int) -> None:
    chaos.fleet.fill_disk()


def _free_disk(chaos: Chaos, index: int) -> None:
    chaos.fleet.free_disk()


def _kill_manager(chaos: Chaos, index: int) -> None:
    chaos.fleet.kill_manager()


def _start_manager(chaos: Chaos, index: int) -> None:
    chaos.fleet.start_manager()


KINDS = (
    Kind("Wi-Fi down", (3, 15), 3, _wifi_down, _wifi_up),
    Kind("latency 0.3 s", (5, 15), 4, _weather(Weather(latency_s=0.3)), _weather(FAIR)),
    Kind("latency 1.5 s", (5, 15), 3, _weather(Weather(latency_s=1.5)), _weather(FAIR)),
    Kind("packets held back", (2, 8), 3, _weather(Weather(stall=True)), _weather(FAIR)),
    Kind("half-open, bytes lost", (5, 20), 3, _weather(Weather(swallow=True)), _weather(FAIR)),
    Kind("connection refused", (2, 10), 3, _weather(Weather(refuse=True)), _weather(FAIR)),
    Kind("connection reset", (0, 0), 4, _reset, _nothing),
    Kind("power cut of a node", (0, 4), 2, Chaos.cut_power, Chaos.power),
    Kind("clock of a node jumps", (5, 12), 1, _jump, _set_right),
    Kind("SIGKILL of the broker", (0, 0), 0, _kill_broker, _nothing),
    Kind("SIGKILL of the manager", (0, 4), 0, _kill_manager, _start_manager),
    Kind("disk of the host full", (3, 10), 0, _fill_disk, _free_disk),
)
