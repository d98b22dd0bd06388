"""The dashboard with people and an alert, on a painted fleet: for tests over HTTP and in a browser."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import uvicorn

from device_manager.adapters.store_monitoring import SqlAlerts
from device_manager.adapters.store_rollouts import SqlRollouts
from device_manager.front_desk import FrontDesk, open_front_desk
from device_manager.identities import Authority
from device_manager.monitoring.alert import Alert
from device_manager.monitoring.rules import shipped
from device_manager.orders.spool import COMMAND, DONE, REFUSED, Order, Spool
from device_manager.rollouts import states
from device_manager.rollouts.model import Judgement, Rollout, Rules, Update, parse_stage
from device_manager.scopes import ADMIN, TECHNICIAN, VIEWER, Scope
from device_manager.settings import Settings
from device_manager.web.dashboard import application
from provisioning.progress import STEPS
from tests.fakes.painted_fleet import FAULTY, name_of, paint
from tests.waiting import wait_for

PASSWORD = "correct horse battery"
CANARY = name_of(2)
FINDING = f"{CANARY}/air/pm2_5: spread moved by +0.41 (+0.12 to +0.70 with 99%), allowed 0.50, 9 hours: unknown"
PEOPLE = {"vera": VIEWER, "toni": TECHNICIAN, "anna": ADMIN}


LATE_ANSWER = "expired at 1770000600, now it is 1770000900"
BOARD_MAC, BOARD_FAULT = "240ac4000001", "air: expected new data every second, got none for 5 s"


def furnish(desk: FrontDesk, *, people: bool = True) -> None:
    """Add one person of each role, an alert about the node with the faulty sensor and what it answered, a rollout, and
    a board that stays on the bench."""
    for name, role in PEOPLE.items() if people else ():
        desk.people.add(name, role, PASSWORD, scope=Scope("test"))
    now_ms, node = int(time.time() * 1000), name_of(FAULTY)
    alert = Alert(
        1, "sensor-faults", node, "warning", "has a sensor that fails", (node,), ("air",), (), 4.0, 6.0, 0.0, "faults",
        now_ms - 14_400_000, now_ms - 14_300_000, None, shipped()["sensor-faults"].next_step,
    )  # fmt: skip
    SqlAlerts(desk.fleet.operations).save([alert])
    roll_out(desk, now_ms)
    answer(desk, node, now_ms)
    put_on_bench(desk.settings.directory, now_ms // 1000)


def answer(desk: FrontDesk, node: str, now_ms: int) -> None:
    """Add two commands that a node answered: its log, and a refusal."""
    spool, expires_s = Spool(desk.settings.orders), now_ms // 1000 + 600
    log = ("14 s: joined", "31 s: link: open: expected an answer, got a closed connection")
    spool.add(Order(node, 1, "log", "toni", expires_s, DONE, "", b"", COMMAND, log))
    spool.add(Order(node, 2, "self-test", "toni", expires_s, REFUSED, LATE_ANSWER, b"", COMMAND))


def put_on_bench(directory: Path, now_s: int) -> None:
    """Add a board whose self-test found a sensor that says nothing."""
    facts = {"order": {"site": "gerberstrasse", "design": "demo"}, "enrol": {"node": "kempten-13"}}
    rows = [{"step": step, "state": "done", "facts": facts.get(step, {}), "time": now_s}
            for step in ("order", *STEPS[: STEPS.index("self_test")])]  # fmt: skip
    rows.append({"step": "self_test", "state": "failed", "facts": {"reason": BOARD_FAULT}, "time": now_s})
    (directory / "provisioning").mkdir(exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (directory / "provisioning" / f"{BOARD_MAC}.jsonl").write_text(lines, "utf-8")


def roll_out(desk: FrontDesk, now_ms: int) -> None:
    """Add a rollout that runs: its canaries are through, the gate found something, stage 2 waits for approval."""
    kept, stages = SqlRollouts(desk.fleet.operations), tuple(map(parse_stage, ("3", "50%", "all")))
    told, reason = Judgement(0, now_ms, "unknown", (FINDING,)), "waits for approval of stage 2"
    rules, state = Rules(approve_stages=True), states.RUNNING
    made = kept.add(Rollout(0, 2, stages=stages, rules=rules, state=state, reason=reason, judgement=told))
    updates = {
        name_of(i): Update(name_of(i), 0 if i < 4 else 1 if i < 9 else 2, "succeeded" if i < 4 else "queued")
        for i in range(1, 13)
    }
    updates[CANARY] = updates[CANARY]._replace(state="rolled_back", reason="no session within 300 s")
    kept.save(replace(made, updates=updates), made, 0)


def fleet(directory: Path, port: int = 8080, **choices: object) -> Settings:
    """Return a small painted fleet; `choices` of `paint` and of its `WebSettings`."""
    painted = {name: choices.pop(name) for name in ("title", "nodes") if name in choices}
    settings = paint(directory, int(time.time()), port=port, **painted)  # type: ignore[arg-type]
    Authority.create(settings.identities, settings.broker.names, time.time())
    return replace(settings, web=replace(settings.web, **choices))  # type: ignore[arg-type]


@contextmanager
def served(settings: Settings, *, people: bool = True) -> Iterator[FrontDesk]:
    """Serve the dashboard in a thread of this process, on the settings' port."""
    with open_front_desk(settings) as desk:
        furnish(desk, people=people)
        web = settings.web
        server = uvicorn.Server(uvicorn.Config(application(desk), host=web.host, port=web.port, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield desk
        finally:
            server.should_exit = True
            thread.join(10)
