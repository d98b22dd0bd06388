"""What is looked up once an hour: scores of channels, life of sensors, certificates, and the process that does it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from device_manager import app, prospects
from device_manager.adapters.store_reader import SqlReader
from device_manager.fleet import local, open_fleet
from device_manager.identities import Authority
from device_manager.monitoring.flags import channel_facts, resettled
from device_manager.monitoring.grouping import Subject
from device_manager.monitoring.joining import by_the_hour, channels_of
from device_manager.monitoring.life import forecast
from device_manager.monitoring.scores import COSTS, score
from device_manager.quality import Finding
from device_manager.quality.finding import RULES
from device_manager.series import Observations
from device_manager.series.epochs import Channel
from device_manager.settings import Settings, Timing
from firmware.wire import quality
from tests.fakes.painted_fleet import FAULTY, name_of, paint
from tests.waiting import wait_for

NOW_S, DAY_S = int(time.time()), 86_400
AIR, GATE = Channel("pm2_5", "ug/m3", 10, "air"), Channel("footfall_in", "{count}", 1, "gate")


def observations(*rows: tuple[int, int, int, float, int]) -> Observations:
    """Rows of (node id, channel 0 air or 1 gate, start s, value, flags)."""
    node, channel, start, value, flags = (np.array(column) for column in zip(*rows, strict=True))
    nothing = np.zeros(len(rows), dtype=np.int64)
    return Observations((AIR, GATE), nothing + 1, node, nothing, channel, start, start + 60, value.astype(float), flags)


def finding(rule: str, hours: float = 24, channel: str = "n/air/pm2_5") -> Finding:
    return Finding(channel, rule, NOW_S, NOW_S + int(3600 * hours), 1.0, 0.0, "1", 9, f"{rule} for {hours:g} h")


def test_score_of_a_channel_without_a_finding_is_100() -> None:
    assert score("n/air/pm2_5", [], 0.0, NOW_S, NOW_S + DAY_S).points == 100


def test_score_loses_half_for_a_finding_and_half_for_its_share_of_the_time() -> None:
    whole = score("n/air/pm2_5", [finding("stuck")], 0.0, NOW_S, NOW_S + DAY_S)
    quarter = score("n/air/pm2_5", [finding("stuck", hours=6)], 0.0, NOW_S, NOW_S + DAY_S)
    assert (whole.points, quarter.points) == (20, 50)


def test_score_names_the_dearest_reason_first_and_ends_at_0() -> None:
    found = score("n/air/pm2_5", [finding("warm-up"), finding("stuck"), finding("range")], 0.5, NOW_S, NOW_S + DAY_S)
    assert found.points == 0
    assert found.reasons[0] == "stuck for 24 h"
    assert "50 % of its records are no measurement, by its own flags" in found.reasons


def test_score_leaves_out_what_is_about_another_channel_or_the_receiver() -> None:
    others = [finding("stuck", channel="n/air/pm10"), finding("receiver")]
    assert score("n/air/pm2_5", others, 0.0, NOW_S, NOW_S + DAY_S) == ("n/air/pm2_5", 100, ())


def test_every_rule_of_quality_costs_something_but_the_receivers() -> None:
    assert set(RULES) - set(COSTS) == {"receiver"}


@pytest.mark.parametrize(("used_h", "duty", "left"), [(7000, 1.0, 41.7), (7000, 0.5, 83.3), (9000, 1.0, -41.7)])
def test_forecast_of_a_sensors_life_follows_its_duty(used_h: float, duty: float, left: float) -> None:
    assert forecast("sds011", used_h, 8000, duty).left_days == left


def test_channels_of_two_pages_are_one_in_order_of_time_and_the_later_commit_stays() -> None:
    pages = [
        observations((1, 0, 120, 5.0, 0), (1, 0, 60, 4.0, 0)),
        observations((1, 0, 120, 9.0, 0), (2, 0, 60, 1.0, 0)),
    ]
    (found,) = channels_of(pages, {1: "n"})
    assert (found.name, found.is_total) == ("n/air/pm2_5", False)
    assert (found.start_s.tolist(), found.value.tolist()) == ([60, 120], [4.0, 9.0])


def test_channel_of_a_counter_is_a_total() -> None:
    (found,) = channels_of([observations((1, 1, 60, 4.0, 0))], {1: "n"})
    assert found.is_total


def test_hours_that_are_not_over_or_hardly_known_are_missing() -> None:
    class Rolled:
        node, sensor, quantity = "n", "gate", "footfall_in"
        start_s = np.arange(3, dtype=np.int64) * 3600
        end_s = start_s + 3600
        value = np.array([7.0, 8.0, 9.0])
        coverage = np.array([1.0, 0.5, 1.0])

    found = by_the_hour(Rolled(), until_s=2 * 3600)
    assert found.interval_s == 3600
    assert np.isnan(found.value).tolist() == [False, True]


def test_flags_count_what_is_no_measurement_and_excuse_what_is_explained() -> None:
    rows = observations(
        (1, 0, 0, 5.0, 0), (1, 0, 60, np.nan, quality.FAULT), (1, 0, 120, np.nan, 0),
        (1, 0, 180, np.nan, quality.WARM_UP), (2, 0, 0, 5.0, quality.STUCK | quality.MAINTENANCE),
    )  # fmt: skip
    assert channel_facts(rows) == {(1, "air/pm2_5"): 50.0, (2, "air/pm2_5"): 0.0}


def test_sensor_that_settles_is_news_only_long_after_its_node_started() -> None:
    rows = observations((1, 0, 1000, 5.0, quality.WARM_UP), (1, 0, 1060, 5.0, 0), (2, 0, 1000, 5.0, quality.WARM_UP))
    assert resettled(rows, {1: 0.0}) == {(1, "air/pm2_5"): 50.0}
    assert resettled(rows, {2: 990.0}) == {(2, "air/pm2_5"): 0.0}
    assert resettled(rows, {}) == {}


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = paint(tmp_path_factory.mktemp("fleet"), NOW_S, nodes=FAULTY)
    Authority.create(settings.identities, settings.broker.names, NOW_S)
    return settings


def test_scores_of_a_fleet_show_the_faulty_sensor_first(painted: Settings) -> None:
    rows = prospects.scores(painted, NOW_S)
    assert (rows[0].node, rows[0].channel) == (name_of(FAULTY), "air/pm2_5")
    assert rows[0].points < 90
    assert "by its own flags" in rows[0].reasons[0]
    assert {row.node for row in rows} == {name_of(number) for number in (1, 2, 4, 5, 6)}  # the third is lost


def test_scores_read_in_groups_are_the_same_and_ask_the_register_once(
    painted: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, asked, nodes = prospects.scores(painted, NOW_S), [], SqlReader.nodes
    monkeypatch.setattr(SqlReader, "nodes", lambda reader: asked.append(1) or nodes(reader))
    monkeypatch.setattr(prospects, "NODES_AT_ONCE", 2)
    assert prospects.scores(painted, NOW_S) == whole
    assert len(asked) == 1


def test_facts_of_a_fleet_come_from_a_process_beside_the_manager(painted: Settings) -> None:
    prospecting = prospects.Prospecting(painted.directory)
    prospecting.start()
    wait_for(lambda: prospecting.facts)
    prospecting.stop()
    points = {subject.node: known["quality_score"] for subject, known in prospecting.facts.items()
              if subject.part == "air/pm2_5"}  # fmt: skip
    assert min(points, key=points.__getitem__) == name_of(FAULTY)


def test_process_that_fails_leaves_the_facts_and_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    prospecting = prospects.Prospecting(tmp_path / "nowhere")
    prospecting.facts = {Subject("n"): {"certificate_days": 9.0}}
    prospecting.start()
    wait_for(lambda: "scores and certificates are those of an hour ago" in caplog.text)
    prospecting.stop()
    assert prospecting.facts == {Subject("n"): {"certificate_days": 9.0}}


def test_days_until_a_certificate_ends_are_a_fact_of_its_node(tmp_path: Path) -> None:
    settings = app.initialise(tmp_path / "data", name="few", host="127.0.0.1", port=None, broker="mosquitto")
    with open_fleet(settings) as fleet:
        fleet.registry.add_site("square", "Square", 47.7, 10.3, 4.0, "Nord", scope=local())
        fleet.add_virtual_node("node-1", fleet.registry.site("square"), Timing(), NOW_S, scope=local())
    assert json.loads((settings.identities / "issued.jsonl").read_text().splitlines()[-1])["name"] == "node-1"
    (days,) = prospects.certificate_days(settings, NOW_S).values()
    later = prospects.facts(settings, NOW_S + 10 * DAY_S)[Subject("node-1")]["certificate_days"]
    assert later == pytest.approx(days - 10)
