"""Settings that are tried: kept, taken back, and never half, wherever the power is cut."""

import builtins
import json
import os
from pathlib import Path
from typing import Any

import pytest

from firmware import ConfigError
from firmware.trust import desk, files, trial
from firmware.wire import WireError, orders
from tests.fakes.signing import Signing

NODE = "kempten-01"
OLD = {
    "node": NODE,
    "revision": 1,
    "wifi": {"ssid": "old", "password": "old"},
    "tls": {"anchors": ["anchor.der"], "certificate": "certificate.der", "key": "key.der"},
}
PARTS: dict[str, Any] = {
    "wifi": {"ssid": "new", "password": "new"},
    "certificate": b"C2",
    "key": b"K2",
    "anchors": [b"A", b"B"],
}


class PowerCut(Exception):
    """The power is gone."""


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    provision(tmp_path)
    return tmp_path


def provision(path: Path) -> None:
    for old in path.iterdir():
        old.unlink()
    (path / "node.json").write_text(json.dumps(OLD))
    for name, data in (("anchor.der", b"A"), ("certificate.der", b"C1"), ("key.der", b"K1")):
        (path / name).write_bytes(data)
    (path / "orders.keys").write_bytes(SIGNING.public())


SIGNING = Signing()


def change(counter: int, revision: int = 2, **parts: Any) -> bytes:
    arguments = {"revision": revision, "within_s": 30, **(parts or PARTS)}
    return SIGNING.sign(orders.make(NODE, counter, 2_000_000_000, "change", arguments))


def boot() -> dict[str, Any]:
    return trial.enter(files.read_json("node.json"), lambda settings: settings)


def used(settings: dict[str, Any]) -> dict[str, bytes]:
    tls = settings["tls"]
    names = [*tls["anchors"], tls["certificate"], tls["key"]]
    return {name: Path(name).read_bytes() for name in names}


def test_change_is_tried_after_a_restart_and_kept_when_the_manager_answers(node: Path) -> None:
    assert desk.take(change(5), NODE, 1_800_000_000) == (None, desk.RESTART)
    tried = boot()
    assert (tried["wifi"]["ssid"], tried["trial"]) == ("new", [5, 30])
    assert list(used(tried).values()) == [b"A", b"B", b"C2", b"K2"]
    assert (node / "key.der").exists()
    assert desk.take(change(5), NODE, 1_800_000_000) == (None, "")  # it comes again while it is tried
    assert trial.keep() == {"command": 5, "ok": True, "reason": ""}
    settings = boot()
    assert (settings["wifi"]["ssid"], settings["revision"], "trial" in settings) == ("new", 2, False)
    assert not (node / "key.der").exists()
    assert desk.take(change(5), NODE, 1_800_000_000)[0] == {"command": 5, "ok": True, "reason": ""}


def test_change_without_an_answer_is_taken_back_with_the_reason(node: Path) -> None:
    desk.take(change(5), NODE, 1_800_000_000)
    boot()
    trial.take_back("no answer")
    settings = boot()
    assert (settings["wifi"]["ssid"], settings["revision"]) == ("old", 1)
    assert list(used(settings).values()) == [b"A", b"C1", b"K1"]
    assert not [path.name for path in node.glob("*-5*.der")]
    assert desk.take(change(5), NODE, 1_800_000_000)[0] == {"command": 5, "ok": False, "reason": "no answer"}


def test_change_that_keeps_restarting_the_node_is_taken_back(node: Path) -> None:
    desk.take(change(5), NODE, 1_800_000_000)
    for _ in range(trial.START_MAX):
        assert boot()["wifi"]["ssid"] == "new"
    assert boot()["wifi"]["ssid"] == "old"
    assert "restarted 4 times" in trial.answer(files.read_json("node.json"))["reason"]


def test_change_that_the_configuration_refuses_is_taken_back(node: Path) -> None:
    desk.take(change(5), NODE, 1_800_000_000)

    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise ConfigError("expected something else")

    assert trial.enter(files.read_json("node.json"), refuse)["wifi"]["ssid"] == "old"


@pytest.mark.parametrize("answered", [True, False])
def test_power_cut_at_any_write_leaves_old_or_new_and_never_half(
    node: Path, monkeypatch: pytest.MonkeyPatch, answered: bool
) -> None:
    outcomes = set()
    for cut in range(60):
        provision(node)
        left = [cut]

        builtins_open = open

        def dying(real: Any, left: list[int] = left, builtins_open: Any = builtins_open) -> Any:
            def act(*arguments: Any, **named: Any) -> Any:
                if "w" not in str(arguments[1:2]) and real is builtins_open:
                    return real(*arguments, **named)
                if left[0] == 0:
                    raise PowerCut
                left[0] -= 1
                return real(*arguments, **named)

            return act

        with monkeypatch.context() as patch:
            patch.setattr(builtins, "open", dying(builtins_open))
            patch.setattr(os, "rename", dying(os.rename))
            patch.setattr(os, "remove", dying(os.remove))
            finished = False
            try:
                desk.take(change(5), NODE, 1_800_000_000)
                if "trial" in boot():
                    trial.keep() if answered else trial.take_back("no answer")
                boot()
                finished = True
            except PowerCut:
                pass
        settings = boot()
        for _ in range(trial.START_MAX if "trial" in settings else 0):
            settings = boot()
        key = used(settings)[settings["tls"]["key"]]
        assert (settings["wifi"]["ssid"], key) in {("old", b"K1"), ("new", b"K2")}, cut
        outcomes.add(settings["wifi"]["ssid"])
        assert set(node.glob("*.der*")) == {node / name for name in used(settings)}, cut
        if finished:
            break
    assert finished
    assert outcomes == ({"old", "new"} if answered else {"old"})


@pytest.mark.parametrize("counter", [4, 5])
def test_order_that_was_taken_before_is_never_done_again(node: Path, counter: int) -> None:
    desk.take(change(5), NODE, 1_800_000_000)
    boot()
    trial.take_back("no answer")
    reply, action = desk.take(change(counter), NODE, 1_800_000_000)
    assert (reply["ok"], action) == (False, "")


def test_change_of_an_older_revision_is_refused(node: Path) -> None:
    reply, action = desk.take(change(5, revision=1), NODE, 1_800_000_000)
    assert (reply["ok"], action) == (False, "")
    assert "revision above 1" in reply["reason"]


def test_order_of_somebody_else_does_nothing(node: Path) -> None:
    foreign = Signing()
    order = foreign.sign(orders.make(NODE, 9, 2_000_000_000, "decommission", {}))
    with pytest.raises(WireError, match="trusted key"):
        desk.take(order, NODE, 1_800_000_000)


def test_order_to_a_node_without_keys_does_nothing(node: Path) -> None:
    (node / "orders.keys").unlink()
    with pytest.raises(WireError, match="trusted key"):
        desk.take(change(5), NODE, 1_800_000_000)


def test_wipe_leaves_no_settings_and_no_secret(node: Path) -> None:
    assert desk.take(SIGNING.sign(orders.make(NODE, 5, 2_000_000_000, "decommission", {})), NODE, None)[1] == desk.WIPE
    files.wipe()
    assert list(node.iterdir()) == []
