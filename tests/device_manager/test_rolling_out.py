"""The wiring of rollouts on a data directory, without nodes: shadows, groups, releases, offers, readings, commands."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from device_manager import cli
from device_manager.fleet import local, open_fleet
from device_manager.ports import Incoming
from device_manager.registry.groups import Group
from device_manager.releases.offering import NodeOffer, Traffic
from device_manager.releases.service import Wanted as Build
from device_manager.rolling_out import RollingOut, neighbours, open_rollouts
from device_manager.rollouts import states
from device_manager.rollouts.model import Rollout, Rules, Update, parse_stage
from device_manager.settings import BrokerSettings, Settings, save
from device_manager.updates import open_offers, open_releases
from firmware.wire import messages, releases
from tests.fakes.speaker import Speaker
from tests.fakes.stores import Bench
from tests.waiting import wait_for

NODES = ("kempten-01", "kempten-02", "kempten-03", "kempten-04")
BOARD = "esp32-s3-devkitc-1"
Run = Callable[..., "tuple[int, str, str]"]


class World:
    """A data directory with four nodes, two of them in the group `west`, and releases 1 and 2; all nodes run 1."""

    def __init__(self, directory: Path) -> None:
        self.settings = Settings(directory, "test", BrokerSettings("iotcore", "127.0.0.1", 18_883))
        self.settings.identities.mkdir(parents=True)
        save(self.settings)
        self.bench = Bench(directory, ())
        self.speakers = {name: Speaker(name, log) for log, name in enumerate(NODES, 7)}
        with open_fleet(self.settings) as fleet:
            for index, name in enumerate(NODES):
                place = (47.726 + index / 1000, 10.316, 4.0, "Innenstadt")
                site = fleet.registry.add_site(f"site-{index}", name, *place, scope=local())
                fleet.registry.add_node(name, site, 0, scope=local())
            fleet.groups.define(Group("west", "West", nodes=NODES[:2]), scope=local())
        service = open_releases(self.settings)
        service = replace(service, compile_=lambda family, root: {"app.mpy": root.name.encode()})
        for number in ("1", "2"):
            (directory / number / "firmware").mkdir(parents=True)
            (directory / number / "firmware" / "__init__.py").write_text(f'VERSION = "{number}.0.0"\n')
            service.build(Build(directory / number, {"x64": [BOARD]}), scope=local())
        self.run(1, *NODES)

    def run(self, release: int, *nodes: str) -> None:
        """Let nodes say that they run a release."""
        for name in nodes:
            fields = {"online": True, "boot": 5, "log": self.speakers[name].log, "head": 0, "tail": 0}
            more = {"time": int(time.time()), "release": release, "board": BOARD, "family": "x64"}
            self._tell(name, "state", {**fields, **more})

    def report(self, state: str, number: int, *nodes: str, reason: str = "") -> None:
        """Let nodes report on an update."""
        for name in nodes:
            self._tell(name, "update", {"state": state, "number": number, "reason": reason})

    def _tell(self, name: str, kind: str, fields: dict[str, object]) -> None:
        message = self.speakers[name].message(kind, messages.encode(kind, fields))
        self.bench.committer.commit([message._replace(received_ms=int(time.time() * 1000))])

    def offered(self) -> dict[str, int]:
        """What is offered to whom, as the courier of the running manager finds it."""
        return {one.node: one.number for one in open_offers(self.settings).standing()}

    def step(self) -> None:
        """Take a step, as the thread of the running manager does."""
        with open_rollouts(self.settings) as opened:
            opened.rollouts.step()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "data")
    yield made
    made.bench.close()


@pytest.fixture
def run(world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def called(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["citynode", "rollout", *arguments])
        monkeypatch.setenv("CITYNODE_DATA", str(world.settings.directory))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return called


def test_planner_sees_shadows_sites_and_groups(world: World) -> None:
    world.report(releases.REJECTED, 2, NODES[1], reason="wrong board")
    with open_rollouts(world.settings) as opened:
        seen = opened.view.nodes("west")
        assert [node.name for node in opened.view.nodes("")] == list(NODES)
    assert [node.name for node in seen] == list(NODES[:2])
    first, second = seen
    assert (first.release, first.board, first.district, first.online) == (1, BOARD, "Innenstadt", True)
    assert first.groups == {"west"} and first.told is None
    assert second.told == (2, 0, releases.REJECTED, "wrong board")


def test_thread_of_the_manager_offers_stage_by_stage_and_finishes(world: World, run: Run) -> None:
    code, out, _ = run("create", "2", "--stage", "1", "--stage", "all", "--soak-hours", "0", "--no-gate")
    assert (code, out) == (0, "rollout 1 of release 2: draft; back to release 1; next: `citynode rollout plan 1`\n")
    planned = {row["node"]: row["stage"] for row in json.loads(run("plan", "1", "--json")[1])}
    (canary,) = (name for name, stage in planned.items() if stage == 1)
    run("start", "1")
    thread = RollingOut(world.settings, every_s=0.05)
    thread.start()
    wait_for(lambda: world.offered() == {canary: 2})
    world.report(releases.SUCCEEDED, 2, canary)
    world.run(2, canary)
    wait_for(lambda: world.offered().keys() == set(NODES))
    world.report(releases.SUCCEEDED, 2, *NODES)
    world.run(2, *NODES)
    wait_for(lambda: json.loads(run("status", "1", "--json")[1])["state"] == states.FINISHED)
    thread.stop()
    assert json.loads(run("list", "--json")[1])[0]["succeeded"] == len(NODES)


def test_bytes_that_were_sent_stay_in_the_status_of_a_rollout_that_was_halted(world: World, run: Run) -> None:
    run("create", "2", "--stage", "1", "--stage", "all", "--no-gate")
    run("plan", "1")
    run("start", "1")
    world.step()
    (canary,) = world.offered()
    offers = open_offers(world.settings)
    for sent in (Traffic(700, 5000), Traffic(300, 0)):  # the second by a manager that has not offered it again yet
        offers.add_traffic({(canary, 2): sent})
    offers.add_traffic({(canary, 1): Traffic(9000, 9000)})  # of an earlier rollout
    assert run("abort", "1")[0] == 0
    world.step()
    assert world.offered() == {}
    told = json.loads(run("status", "1", "--json")[1])
    assert (told["bytes_sent"], told["bytes_saved"]) == (1000, 4000)


def test_release_that_does_not_exist_is_refused(world: World, run: Run) -> None:
    told = "citynode: expected the number of a release, got {}; see `citynode release list`\n"
    assert run("create", "9") == (2, "", told.format(9))
    assert run("create", "2", "--back-to", "8") == (2, "", told.format(8))
    assert run("create", "2", "--group", "nowhere")[0] == 2
    assert json.loads(run("list", "--json")[1]) == []


def test_release_that_is_retired_or_not_signed_is_refused_with_the_reason(world: World, run: Run) -> None:
    service = open_releases(world.settings)
    shelf = service.shelf
    shelf.save(replace(shelf.load(2), roots={}))
    told = "citynode: expected a release that is signed, offered and not retired, got release 2, which is {}; {}\n"
    code, _, err = run("create", "2")
    sign = "sign it, see `citynode release to-sign 2`"
    assert (code, err) == (2, told.format("not signed", sign))
    service.retire(2, "loses PM", scope=local())
    retired = told.format("retired (loses PM)", "take another one of `citynode release list`")
    assert run("create", "2")[::2] == (2, retired)
    back = "citynode: expected a release that is not retired, got release 2, which is retired (loses PM)"
    assert run("create", "1", "--back-to", "2")[2].startswith(back)
    assert json.loads(run("list", "--json")[1]) == []


def test_status_says_what_is_left(world: World, run: Run) -> None:
    run("create", "2", "--no-gate")
    for what, rest in (
        ("", "not started"),
        ("start", "at least 3 d left"),
        ("pause", "rests until"),
        ("abort", "ended"),
    ):
        if what:
            run(what, "1")
        assert f"sent 0 bytes, saved 0; {rest}" in run("status", "1")[1]


def test_every_decision_works_from_the_command_line(world: World, run: Run) -> None:
    """Approve, start, pause, resume, a failure, retry, rollback with a signed way back, abort: each once."""

    def do(what: str) -> str:
        code, _, err = run(what, "1")
        world.step()
        return err.strip() if code == 0 else f"{code} {err}"

    stages = ("--stage", "group:west", "--stage", "all", "--stop-at", "2", "--success", "0", "--soak-hours", "0")
    run("create", "2", *stages, "--no-gate", "--approval", "--approve-stages")
    assert "waiting_for_approval" in do("start")
    assert do("approve") == "rollout 1 is ready"
    assert do("start") == "rollout 1 is running"
    assert world.offered() == {NODES[0]: 2, NODES[1]: 2}
    assert do("pause") == "rollout 1 is paused" and world.offered() == {}
    assert do("resume") == "rollout 1 is running" and len(world.offered()) == 2
    world.report(releases.SUCCEEDED, 2, NODES[0])
    world.run(2, NODES[0])
    world.report(releases.FAILED, 2, NODES[1], reason="flash is full")
    world.step()
    assert f"{NODES[1]}: failed: flash is full" in run("status", "1")[1]
    assert do("retry") == "rollout 1 is running"
    assert NodeOffer(NODES[1], 2, 1) in open_offers(world.settings).standing()
    assert do("rollback") == "rollout 1 is paused"
    world.step()
    back = open_releases(world.settings).shelf.load(3)
    assert back.signed and back.root("x64")["tree"] == open_releases(world.settings).shelf.load(1).root("x64")["tree"]
    assert world.offered() == {NODES[0]: 3}
    world.report(releases.SUCCEEDED, 3, NODES[0])
    world.run(3, NODES[0])
    world.step()
    found = json.loads(run("status", "1", "--json")[1])
    assert found["remarks"][NODES[0]] == "rolled_back: taken back, as release 3"
    assert do("abort") == "rollout 1 is stopped"
    assert "what can be done now: nothing" in do("resume")


def test_gate_reads_the_measurements_of_updated_nodes(world: World) -> None:
    """Release 2 takes the particulate values from one node: a week before, eight hours after, real frames."""
    now_s = int(time.time()) // 3600 * 3600 - 3600
    at_s = now_s - 8 * 3600
    for name in NODES[:2]:
        world.bench.committer.commit(list(_life(world.speakers[name], at_s, now_s, loses=name == NODES[0])))
    updates = {name: Update(name, 0, releases.SUCCEEDED, since_ms=at_s * 1000, offered_ms=1) for name in NODES[:2]}
    rollout = Rollout(1, 2, "", (parse_stage("2"),), Rules(), updates=updates)
    with open_rollouts(world.settings) as opened:
        judged = opened.view.judge(rollout, 0, (now_s + 1800) * 1000)
        near = neighbours(opened.view.fleet.registry.nodes(), rollout, list(NODES[:1]))
    assert near == {NODES[0]: [NODES[2], NODES[3]]}
    assert judged.verdict == "bad", judged
    bad = [line.channel for line in judged.lines if line.verdict == "bad"]
    assert bad and all(NODES[0] in channel and "pm2_5" in channel for channel in bad)
    assert any("presence 0 of 8 hours" in finding for finding in judged.findings)


def _life(speaker: Speaker, at_s: int, until_s: int, loses: bool) -> Iterator[Incoming]:
    """Half an hour a frame, from a week before `at_s`; `loses` its first channel at `at_s`."""
    yield speaker.channels()
    for start_s in range(at_s - 7 * 86_400, until_s, 1800):
        pm2_5 = None if loses and start_s >= at_s else 100
        rows = [[pm2_5 if pm2_5 is None else pm2_5 + minute % 5, 150 + minute % 3, 1] for minute in range(30)]
        yield speaker.frame(rows, start_s)._replace(received_ms=(start_s + 1800) * 1000)
