"""Metrics: what Prometheus reads, and the Grafana dashboard that shows it."""

from __future__ import annotations

import json
import re
import time
from importlib import resources
from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.testclient import TestClient

from device_manager import app
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_sql import SqlStore
from device_manager.fleet import local, open_fleet
from device_manager.ingest.commit import Committer
from device_manager.ports import Incoming
from device_manager.settings import Settings
from device_manager.shadow import JsonFold
from device_manager.web.metrics import routes
from firmware.wire import messages, topics

HEALTH = {
    "boot": 7,
    "uptime_s": 60,
    "reset_cause": "power on",
    "heap_free": 90_000,
    "heap_floor": 60_000,
    "buffered": 0,
    "lost": 0,
    "resent": 0,
    "bad_watermarks": 0,
    "rssi": -61,
    "faults": [["air", 3]],
    "last_error": "",
    "unknown": 0,
}


@pytest.fixture
def fleet(tmp_path: Path) -> Settings:
    """A data directory with one node that has sent a health message."""
    settings = app.initialise(tmp_path / "data", name="t", host="127.0.0.1", port=None, broker="iotcore")
    with open_fleet(settings) as opened:
        opened.registry.add_site("square", "Square", 47.7, 10.3, 4.0, "Innenstadt", scope=local())
        opened.registry.add_node("node-1", opened.registry.site("square"), 0, scope=local())
    now_ms = int(time.time() * 1000)
    payload = messages.encode("health", {**HEALTH, "time": now_ms // 1000})
    store = SqlStore(settings.database)
    message = Incoming(topics.up("node-1", "health"), payload, now_ms, False, None)
    Committer(store, Cbor2Codec(), JsonFold()).commit([message])
    store.close()
    return settings


def client(settings: Settings) -> TestClient:
    return TestClient(Starlette(routes=list(routes(settings))), "http://127.0.0.1", client=("127.0.0.1", 5000))


def test_prometheus_reads_node_sensor_and_manager(fleet: Settings) -> None:
    text = client(fleet).get("/metrics").text
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["citynode_node_rssi_dbm", "Innenstadt", "node-1", "square"] == -61
    assert samples["citynode_sensor_faults", "air", "node-1"] == 3
    assert sum(value for key, value in samples.items() if key[0] == "citynode_nodes") == 1
    assert samples["citynode_manager_up",] == 0
    assert samples["citynode_alerts_open", "", "critical"] == 0


def test_openmetrics_is_given_to_whom_asks_for_it(fleet: Settings) -> None:
    answer = client(fleet).get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert list(openmetrics.text_string_to_metric_families(answer.text))


def test_metrics_are_refused_to_other_machines(fleet: Settings) -> None:
    far = TestClient(Starlette(routes=list(routes(fleet))), "http://127.0.0.1", client=("192.0.2.1", 5000))
    assert far.get("/metrics").status_code == 403


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"host": "rebound.example"}])
def test_metrics_are_refused_to_pages_in_a_browser_of_this_machine(fleet: Settings, headers: dict[str, str]) -> None:
    assert client(fleet).get("/metrics", headers=headers).status_code == 403


def test_grafana_dashboard_asks_only_for_metrics_that_there_are(fleet: Settings) -> None:
    text = client(fleet).get("/metrics").text
    known = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    document = json.loads(resources.files("device_manager.web").joinpath("grafana.json").read_text("utf-8"))
    asked = {name for panel in document["panels"] for target in panel["targets"]
             for name in re.findall(r"citynode_\w+", target["expr"])}  # fmt: skip
    assert asked and asked <= known
