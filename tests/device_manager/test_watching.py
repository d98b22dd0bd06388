"""The manager's thread that watches: from what nodes said, through the store, to alerts and the commands about them."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device_manager import app
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_sql import SqlStore
from device_manager.alerting import open_alerts
from device_manager.cli import main
from device_manager.fleet import local, open_fleet
from device_manager.ingest.commit import Committer
from device_manager.monitoring.alert import Notice
from device_manager.shadow import JsonFold
from device_manager.watching import Watcher, Watching
from firmware.wire import messages, quality
from tests.fakes.broker import FakeBroker
from tests.fakes.post import Hook
from tests.fakes.speaker import Speaker
from tests.waiting import wait_for

START_MS = 1_770_000_000_000
Citynode = Callable[..., "tuple[int, str, str]"]


class SetClock:
    """A clock that the test sets."""

    ms = START_MS

    def now_ms(self) -> int:
        return self.ms


class Street:
    """Nodes that speak every five minutes while there is a broker, and the watcher, on one clock."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self.settings = app.initialise(folder / "data", name="street", host="127.0.0.1", port=None, broker="iotcore")
        self.clock, self.notices = SetClock(), list[Notice]()
        self.speakers = [Speaker(f"node-{at:03}", log=1 + at) for at in range(nodes)]
        self.broker_down = False
        self.bad: dict[str, dict[str, object]] = {}
        self.flags = 0
        with open_fleet(self.settings) as fleet:
            for place in range(4):
                fleet.registry.add_site(f"d{place}", f"Square {place}", 47.7, 10.3, 4.0, f"d{place}", scope=local())
            sites = [fleet.registry.site(f"d{place}") for place in range(4)]
            for at, speaker in enumerate(self.speakers):
                fleet.registry.add_node(speaker.name, sites[at % 4], 0, scope=local())
        self._store = SqlStore(self.settings.database)
        self._committer = Committer(self._store, Cbor2Codec(), JsonFold())
        self._watcher = Watcher(self.settings, lambda: self.broker_down, lambda: 0, {}, self.notices.extend, self.clock)
        self._committer.commit([speaker.channels() for speaker in self.speakers])
        self._began_s = START_MS // 1000

    def run(self, minutes: int, every: int = 1) -> None:
        """Look every so many minutes; nodes speak each fifth while there is a broker."""
        for _ in range(0, minutes, every):
            self.clock.ms += 60_000 * every
            if not self.broker_down and self.clock.ms // 60_000 % 5 == 0:
                self._committer.commit([self._spoken(message) for each in self.speakers for message in self._say(each)])
            self._watcher.look()

    def _say(self, speaker: Speaker) -> list[object]:
        now_s = self.clock.ms // 1000
        health = {
            "boot": 5, "uptime_s": now_s - self._began_s, "time": now_s, "reset_cause": "power on", "heap_free": 90_000,
            "heap_floor": 60_000, "buffered": 0, "lost": 0, "resent": 0, "bad_watermarks": 0, "rssi": -60, "faults": [],
            "last_error": "", "unknown": 0, **self.bad.get(speaker.name, {}),
        }  # fmt: skip
        flags = self.flags if speaker.name in self.bad else 0
        return [speaker.frame(start_s=now_s - 180, flags=flags),
                speaker.message("health", messages.encode("health", health))]  # fmt: skip

    def _spoken(self, message: object) -> object:
        return message._replace(received_ms=self.clock.ms)  # type: ignore[attr-defined]

    @property
    def told(self) -> list[tuple[str, str, str]]:
        return [(notice.kind, notice.alert.rule, notice.alert.place) for notice in self.notices]

    def close(self) -> None:
        self._watcher.close()
        self._store.close()


@pytest.fixture
def street(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Street]:
    made = Street(tmp_path, request.param)
    yield made
    made.close()


@pytest.fixture
def citynode(street: Street, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Citynode:
    """Call citynode in this process on the street's data; return (exit code, stdout, stderr)."""
    monkeypatch.setenv("CITYNODE_DATA", str(street.settings.directory))

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["citynode", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), *capfd.readouterr()

    return run


def table(printed: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(printed), delimiter="\t"))


@pytest.mark.parametrize("street", [200], indirect=True)
def test_broker_outage_of_200_nodes_is_one_alert_from_their_frames_to_the_list(street: Street) -> None:
    street.run(10)
    street.broker_down = True
    street.run(25, every=5)
    with open_alerts(street.settings) as alerts:
        (shown,) = alerts.alerts()
    assert (shown.rule, len(shown.nodes), shown.explained) == ("broker-down", 200, ("node-silent",))
    street.broker_down = False
    street.run(20)
    assert street.told == [("raised", "broker-down", "manager"), ("cleared", "broker-down", "manager")]
    with open_alerts(street.settings) as alerts:
        assert alerts.alerts() == []


@pytest.mark.parametrize("street", [2], indirect=True)
def test_sensor_that_failed_once_and_recovered_is_told_as_information(street: Street) -> None:
    street.run(10)
    street.bad = {"node-001": {"faults": [["air", 1]]}}
    street.run(15)
    assert street.told == [("raised", "sensor-disturbed", "node-001/air")]
    assert street.notices[0].alert.severity == "info"


@pytest.mark.parametrize("street", [2], indirect=True)
def test_sensor_that_goes_on_failing_is_told_once_as_a_warning(street: Street) -> None:
    street.run(10)
    street.bad = {"node-001": {"faults": [["air", 40]]}}
    street.run(15)
    assert street.told == [("raised", "sensor-faults", "node-001/air")]


@pytest.mark.parametrize("street", [2], indirect=True)
def test_sensor_that_settles_again_without_a_start_of_its_node_is_told(street: Street) -> None:
    street.run(10)
    street.bad, street.flags = {"node-001": {}}, quality.WARM_UP
    street.run(5)
    assert street.told == [("raised", "sensor-restarted", "node-001/air")]


@pytest.mark.parametrize("street", [2], indirect=True)
def test_sensor_that_settles_after_a_start_of_its_node_is_no_news(street: Street) -> None:
    street.bad, street.flags = {"node-001": {"uptime_s": 60}}, quality.WARM_UP
    street.run(10)
    assert street.told == []


@pytest.mark.parametrize("street", [3], indirect=True)
def test_alert_commands_show_acknowledge_and_silence(street: Street, citynode: Citynode) -> None:
    street.run(10)
    street.bad = {"node-001": {"rssi": -95}, "node-002": {"heap_floor": 4000}}
    street.run(45)
    code, printed, _ = citynode("alert", "list")
    rows = table(printed)
    assert code == 0
    assert [(row["severity"], row["what"].partition(":")[0]) for row in rows] == [
        ("warning", "node-002"), ("info", "node-001")]  # fmt: skip
    assert rows[1]["next step"].startswith("turn the antenna")

    number = rows[0]["number"]
    assert citynode("alert", "ack", number, "--note", "on my way")[1].startswith(f"acknowledged {number}: node-002")
    code, printed, _ = citynode("alert", "list", "--node", "node-002", "--json")
    (found,) = json.loads(printed)
    assert found["note"] == "on my way"
    assert found["acknowledged_by"].startswith("local:")

    code, printed, _ = citynode("alert", "silence", "node-001", "--hours", "2", "--reason", "works")
    assert (code, printed) == (0, "silence 1 holds for 2 h; `citynode alert unsilence 1` ends it\n")
    assert [row["nodes"] for row in table(citynode("alert", "silences")[1])] == ["node-001"]
    assert citynode("alert", "unsilence", "1")[0] == 0
    assert table(citynode("alert", "silences")[1]) == []


@pytest.mark.parametrize("street", [1], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ack", "7"), "expected the number of an alert, got 7"),
        (("silence", "nobody", "--reason", "x"), "expected a registered node, got 'nobody'"),
        (("silence", "node-000", "--rule", "rain", "--reason", "x"), "expected a rule, got 'rain'"),
        (("unsilence", "3"), "expected a silence that holds, got 3"),
        (("test",), "no way is configured"),
    ],
)
def test_alert_command_that_cannot_be_says_what_it_expected(
    citynode: Citynode, arguments: tuple[str, ...], words: str
) -> None:
    code, printed, said = citynode("alert", *arguments)
    assert (code, printed) == (2, "")
    assert words in said


@pytest.mark.parametrize("street", [1], indirect=True)
def test_alert_list_of_a_fleet_that_is_well_says_so(citynode: Citynode) -> None:
    assert citynode("alert", "list") == (0, "", "no alert is open\n")


@pytest.mark.parametrize("street", [1], indirect=True)
def test_alert_rules_show_what_ships_as_the_fleet_changed_it(street: Street, citynode: Citynode) -> None:
    (street.settings.directory / "alerts.toml").write_text("[rules.node-signal]\nbelow = -80\nclear = -75\n")
    rules = {row["rule"]: row for row in table(citynode("alert", "rules")[1])}
    assert rules["node-signal"]["limit"] == "< -80"
    assert rules["broker-down"]["severity"] == "critical"
    assert {rule["name"] for rule in json.loads(citynode("alert", "rules", "--json")[1])} == set(rules)


@pytest.mark.parametrize("street", [1], indirect=True)
def test_alert_test_reaches_the_webhook(street: Street, citynode: Citynode) -> None:
    with Hook() as hook:
        (street.settings.directory / "alerts.toml").write_text(f'[webhook]\nurl = "{hook.url}"\n')
        assert citynode("alert", "test") == (0, "way\toutcome\nwebhook\tsent\n", "")
    assert "nothing is wrong" in str(hook.bodies)


@pytest.mark.parametrize("street", [1], indirect=True)
def test_thread_of_the_running_manager_raises_and_delivers(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_manager.watching.EVERY_S", 0.05)
    with Hook() as hook:
        (street.settings.directory / "alerts.toml").write_text(f'[webhook]\nurl = "{hook.url}"\nseverity = "info"\n')
        watching = Watching(street.settings, FakeBroker(), lambda: True, lambda: 0)
        watching.start()
        wait_for(lambda: "the broker is away" in str(hook.bodies))
        watching.stop()
    with open_alerts(street.settings) as alerts:
        assert [alert.rule for alert in alerts.alerts()] == ["broker-down"]


@pytest.mark.parametrize("street", [40], indirect=True)
def test_watch_shows_alerts_and_the_worst_nodes_first_as_many_as_fit(
    street: Street, citynode: Citynode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.setenv("LINES", "30")
    street.run(10)
    street.bad = {"node-001": {"heap_floor": 4000}}
    street.run(5)
    code, printed, _ = citynode("watch", "--looks", "1")
    assert code == 0
    assert "40 nodes" in printed and "1 alerts" in printed
    assert "node-001: is short of memory, 4000 bytes" in printed
    assert "40 lost" in printed  # the street's clock is years behind
    lines = printed.splitlines()
    assert len(lines) <= 30
    assert "and 21 more" in printed
