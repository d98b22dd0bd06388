"""Signed orders: vectors of another library on both interpreters, and what a node never obeys."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firmware.wire import WireError, cbor, orders
from tests.conftest import ROOT, Run

FOLDER = Path(__file__).parent
CHANGE: dict[str, Any] = {"revision": 3, "within_s": 60}
NODE, EXPIRES = "kempten-01", 1_800_000_000


def test_signed_vectors_hold_on_cpython() -> None:
    command = [sys.executable, str(FOLDER / "check_signed.py"), str(FOLDER / "signed.json")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    assert (done.stdout, done.returncode) == ("4\n", 0), done.stderr


def test_signed_vectors_hold_on_micropython(micropython: Run) -> None:
    done = micropython(FOLDER / "check_signed.py", str(FOLDER / "signed.json"), heap="224k")
    assert (done.stdout, done.returncode) == ("4\n", 0), done.stderr


def test_order_comes_back_as_it_was_made() -> None:
    wifi = {"ssid": "a", "password": "b"}
    made = orders.make(NODE, 7, EXPIRES, "change", {**CHANGE, "wifi": wifi})
    found = orders.check(made, NODE, 6, EXPIRES)
    assert found == {"counter": 7, "name": "change", "arguments": {**CHANGE, "wifi": wifi}}


@pytest.mark.parametrize(
    ("node", "last", "now_s", "reason"),
    [
        ("kempten-02", 6, EXPIRES, "for kempten-02"),
        (NODE, 7, EXPIRES, "after number 7"),
        (NODE, 9, EXPIRES, "after number 9"),
        (NODE, 6, EXPIRES + 1, "not expired"),
    ],
)
def test_order_for_another_replayed_or_expired_is_refused(node: str, last: int, now_s: int, reason: str) -> None:
    made = orders.make(NODE, 7, EXPIRES, "decommission", {})
    with pytest.raises(WireError, match=reason):
        orders.check(made, node, last, now_s)


@pytest.mark.parametrize(
    "parts",
    [
        {"wifi": {"ssid": "a"}},
        {"wifi": {"ssid": "a", "password": 1}},
        {"brokers": []},
        {"brokers": [{"host": "a", "port": 70000, "server_name": "b"}]},
        {"certificate": b"x"},
        {"key": b"x"},
        {"anchors": []},
        {"anchors": [b"x"] * 5},
        {"timing": {"record_s": 0}},
        {"timing": {"node": 1}},
        {"within_s": 4},
        {"node": "other"},
        {"revision": True},
    ],
)
def test_change_that_the_contract_does_not_know_is_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        orders.make(NODE, 7, EXPIRES, "change", {**CHANGE, **parts})


def test_unknown_order_is_refused() -> None:
    payload = cbor.encode({0: 0, 1: NODE, 2: 7, 3: EXPIRES, 4: "explode", 5: {}})
    with pytest.raises(WireError, match="decommission"):
        orders.check(payload, NODE, 6, EXPIRES)
