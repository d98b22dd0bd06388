"""The dashboard with people and an alert, on a painted fleet: for tests over HTTP and in a browser."""

from __future__ import annotations

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
from device_manager.rollouts import states
from device_manager.rollouts.model import Judgement, Rollout, Rules, Update, parse_stage
from device_manager.scopes import ADMIN, TECHNICIAN, VIEWER, Scope
from device_manager.settings import Settings
from device_manager.web.dashboard import application
from tests.fakes.painted_fleet import FAULTY, name_of, paint
from tests.waiting import wait_for

PASSWORD = "correct horse battery"
CANARY = name_of(2)
FINDING = f"{CANARY}/air/pm2_5: spread moved by +0.41 (+0.12 to +0.70 with 99%), allowed 0.50, 9 hours: unknown"
PEOPLE = {"vera": VIEWER, "toni": TECHNICIAN, "anna": ADMIN}


def furnish(desk: FrontDesk, *, people: bool = True) -> None:
    """Add one person of each role, an alert about the node with the faulty sensor, and a rollout."""
    for name, role in PEOPLE.items() if people else ():
        desk.people.add(name, role, PASSWORD, scope=Scope("test"))
    now_ms, node = int(time.time() * 1000), name_of(FAULTY)
    alert = Alert(
        1, "sensor-faults", node, "warning", "has a sensor that fails", (node,), ("air",), (), 4.0, 6.0, 0.0, "faults",
        now_ms - 14_400_000, now_ms - 14_300_000, None, shipped()["sensor-faults"].next_step,
    )  # fmt: skip
    SqlAlerts(desk.fleet.operations).save([alert])
    roll_out(desk, now_ms)


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
