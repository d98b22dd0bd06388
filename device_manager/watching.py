"""The manager's service that watches the fleet: reads shadows and newest frames, and gives the monitor its facts.

    every 10 s    manager, nodes, sensors, flags of the newest frames
    every hour    certificates, quality scores of the last day, life of sensors

Composition, beside `app.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.notify import Deliverer, senders
from device_manager.adapters.store_monitoring import SqlAlerts
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_reader import SqlReader
from device_manager.alerting import document, load_rules
from device_manager.monitoring.alert import Notice
from device_manager.monitoring.delivery import read_ways
from device_manager.monitoring.facts import node_facts, sensor_facts, started_s
from device_manager.monitoring.flags import channel_facts, resettled
from device_manager.monitoring.grouping import Subject
from device_manager.monitoring.monitor import Look, Monitor
from device_manager.overview import shadow_of
from device_manager.periodic import Periodic, Step
from device_manager.ports import Broker, Clock, NodeView
from device_manager.prospects import Prospecting
from device_manager.registry.service import ACCEPTED
from device_manager.series import Series
from device_manager.settings import Settings
from device_manager.shadow import Shadow

EVERY_S = 10.0
Facts = Mapping[str, float]


class Watcher:
    """Reads what the store knows, and gives it to a monitor. Not for two threads at once."""

    def __init__(
        self,
        settings: Settings,
        broker_down: Callable[[], bool],
        waiting: Callable[[], int],
        slow: Mapping[Subject, Facts],
        tell: Callable[[Sequence[Notice]], None],
        clock: Clock,
    ) -> None:
        """`slow` are the facts that are looked up rarely; whoever looks them up changes them."""
        self._parts = ExitStack()
        self._reader = SqlReader(settings.database)
        self._parts.callback(self._reader.close)
        operations = Operations(settings.database)
        self._parts.callback(operations.close)
        self._series = Series(self._reader, Cbor2Codec())
        self._monitor = Monitor(SqlAlerts(operations), load_rules(settings), tell)
        self._broker_down = broker_down
        self._waiting = waiting
        self.slow = slow
        self._clock = clock

    def close(self) -> None:
        """Close all connections."""
        self._parts.close()

    def look(self) -> None:
        """Take one look."""
        now_ms = self._clock.now_ms()
        views = [view for view in self._reader.nodes() if view.admission == ACCEPTED]
        self._monitor.look(self._seen(views, now_ms), now_ms)

    def _seen(self, views: list[NodeView], now_ms: int) -> Look:
        facts: dict[Subject, dict[str, float]] = {
            Subject(""): {"broker_down": float(self._broker_down()), "waiting_messages": float(self._waiting())}
        }
        shadows = {view.node_id: shadow_of(view) for view in views}
        for shadow in shadows.values():
            facts[Subject(shadow.node)] = node_facts(shadow, now_ms)
            for sensor, count in sensor_facts(shadow).items():
                facts[Subject(shadow.node, sensor)] = {"sensor_faults": count}
        self._add_flags(facts, shadows)
        known: dict[Subject, Facts] = dict(self.slow)  # thousands of channels, whose facts are not copied each time
        known |= {subject: {**fast, **self.slow.get(subject, {})} for subject, fast in facts.items()}
        districts = {view.name: view.site.district if view.site else "" for view in views}
        return Look(known, districts, {shadow.node: _beside(shadow) for shadow in shadows.values()})

    def _add_flags(self, facts: dict[Subject, dict[str, float]], shadows: Mapping[int, Shadow]) -> None:
        """Add what the newest frames say of sensors, and that one without a fault in its node's health has none."""
        newest = self._series.newest_frames()
        known = {node_id: started_s(shadow) for node_id, shadow in shadows.items()}
        boots_s = {node_id: began_s for node_id, began_s in known.items() if began_s is not None}
        found = {"flagged_percent": channel_facts(newest), "resettled_percent": resettled(newest, boots_s)}
        for fact, percents in found.items():
            for (node_id, part), percent in percents.items():
                if node_id in shadows:
                    mine = facts.setdefault(Subject(shadows[node_id].node, part.partition("/")[0]), {})
                    mine[fact] = max(percent, mine.get(fact, 0.0))
                    if node_id in boots_s:
                        mine.setdefault("sensor_faults", 0.0)


def _beside(shadow: Shadow) -> dict[str, float]:
    """Return what is kept over time and judged by no rule."""
    found = {"online": float(bool(shadow.online)), "sensor_faults": sum(sensor_facts(shadow).values())}
    for name, value in (("release", shadow.release), ("configuration", shadow.configuration)):
        if value is not None:
            found[name] = float(value)
    return found


class Watching(Periodic):
    """The service, with the two that it needs: what is looked up rarely, and who tells people."""

    def __init__(
        self,
        settings: Settings,
        broker: Broker,
        broker_down: Callable[[], bool],
        waiting: Callable[[], int],
    ) -> None:
        """SetupError when alerts.toml is wrong."""
        ways = senders(read_ways(document(settings)), settings.name, broker)
        self._deliverer = Deliverer(ways)
        self._watcher = Watcher(settings, broker_down, waiting, {}, self._deliverer.tell, SystemClock())
        self._prospecting = Prospecting(settings.directory, first_s=EVERY_S)
        super().__init__("alerts", Step(self._look, EVERY_S, waits="alerts wait"))

    def start(self) -> None:
        """Start all three."""
        self._deliverer.start()
        self._prospecting.start()
        super().start()

    def stop(self) -> None:
        """End after the look that runs; what waits to be told is tried once more."""
        super().stop()
        self._prospecting.stop()
        self._deliverer.stop()
        self._watcher.close()

    def _look(self) -> None:
        """Look once; while the store is busy or full, the next look sees the same fleet."""
        self._watcher.slow = self._prospecting.facts
        self._watcher.look()
