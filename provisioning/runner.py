"""Does the plan, board by board, and may be broken off anywhere: the same command again goes on where it was.

The order of things keeps the fleet whole: the node is in the register, as pending, before it gets an identity, and
accepted only after the manager has stored a record that came from it. A key exists in this process and on the board.
Steps that write to the board compare first, so a journal that says too much does no harm.
"""

import hashlib
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device_manager.errors import CitynodeError
from hardware.design import Design
from provisioning import flash, images, label, partitions
from provisioning.console import Console
from provisioning.enrolment import Enrolment, Pending
from provisioning.errors import BenchError
from provisioning.flash import Found
from provisioning.journal import Journal
from provisioning.node_config import Network, document, identity_files
from provisioning.plan import Step, check, plan
from provisioning.self_test import Reading, judge

NATIVE = {"ESP32": "xtensawin", "ESP32-S3": "xtensawin", "ESP32-C6": "rv32imc"}
SELF_TEST_S = 4
CONTACT_S = 120.0
Report = Callable[[str, str], None]  # step, text


@dataclass(frozen=True)
class Order:
    """What the board shall become. `node` None takes an id that follows from the MAC."""

    site: str
    design: Design
    node: str | None = None
    fresh: bool = False


@dataclass(frozen=True)
class Workshop:
    """What every board of a bench shares. `release` gives the directory of the app for a native architecture."""

    directory: Path
    enrolment: Enrolment
    release: Callable[[str, bool], Path]
    network: Network
    scope: Any
    virtual: bool = False
    contact_s: float = CONTACT_S
    self_test_s: int = SELF_TEST_S


@dataclass(frozen=True)
class Outcome:
    """How it ended for one port: the node when it is accepted, else the error in one line."""

    port: str
    node: str | None
    error: str | None
    readings: tuple[Reading, ...] = ()


def preview(port: str, order: Order, workshop: Workshop) -> list[Step]:
    """Return the plan for the board at `port`; it is asked who it is and nothing is written."""
    found = flash.identify(port)
    journal = Journal.peek(workshop.directory, found.mac)
    return _plan(found, order, workshop, journal)


def provision(port: str, order: Order, workshop: Workshop, report: Report = lambda *_: None) -> Outcome:
    """Make the board at `port` an accepted node; raises CitynodeError, after which the same call goes on."""
    report("identify", port)
    found = flash.identify(port)
    check(found, order.design)
    before = Journal.peek(workshop.directory, found.mac).facts("enrol") if order.fresh else None
    wanted = {"site": order.site, "design": order.design.name}
    journal = Journal.open(workshop.directory, found.mac, wanted, fresh=order.fresh)
    return _Run(port, found, order, workshop, journal, report, (before or {}).get("node")).run()


def provision_all(
    ports: list[str], order: Order, workshop: Workshop, report: Callable[[str, str, str], None]
) -> list[Outcome]:
    """Provision all `ports` at once; `report` takes port, step, text. An error ends its own board only."""

    def one(port: str) -> Outcome:
        try:
            return provision(port, order, workshop, lambda step, text: report(port, step, text))
        except CitynodeError as error:
            report(port, "failed", str(error))
            return Outcome(port, None, str(error))

    with ThreadPoolExecutor(max_workers=max(1, len(ports))) as pool:
        return list(pool.map(one, ports))


def _plan(found: Found, order: Order, workshop: Workshop, journal: Journal) -> list[Step]:
    check(found, order.design)
    image = images.find(workshop.directory, order.design.board, stand_in=workshop.virtual)
    days = partitions.check_budget(order.design)
    return plan(found, order.design, order.site, image, days, journal.steps())


class _Run:
    """One board from port to label."""

    def __init__(
        self,
        port: str,
        found: Found,
        order: Order,
        workshop: Workshop,
        journal: Journal,
        report: Report,
        before: str | None,
    ) -> None:
        """`before` is the node that this board was to become in a run that is not continued."""
        self._port, self._found, self._order = port, found, order
        self._workshop, self._journal, self._report = workshop, journal, report
        self._before = before
        self._pending: Pending
        self._readings: tuple[Reading, ...] = ()

    def run(self) -> Outcome:
        enrolled = self._journal.facts("enrol")
        if enrolled and "label" in self._journal.steps():
            self._report("done", f"{enrolled['node']} was accepted before")
            return Outcome(self._port, enrolled["node"], None)
        steps = _plan(self._found, self._order, self._workshop, self._journal)
        if enrolled and "contact" in self._journal.steps():  # what is left needs no board, and may be half done
            self._pending = Pending(enrolled["node"], self._order.site, enrolled["title"], self._found.mac)
            steps = [step for step in steps if step.name in ("accept", "label")]
        for step in steps:
            self._step(step)
        self._report("done", f"{self._pending.node} accepted, reporting")
        return Outcome(self._port, self._pending.node, None, self._readings)

    def _step(self, step: Step) -> None:
        self._report(step.name, step.text)
        self._journal.begun(step.name)
        try:
            facts = getattr(self, f"_{step.name}")()
        except CitynodeError as error:
            self._journal.failed(step.name, str(error))
            raise
        self._journal.done(step.name, **facts)

    def _enrol(self) -> dict[str, Any]:
        known = self._journal.facts("enrol")
        node = known["node"] if known else self._order.node
        order, scope = self._order, self._workshop.scope
        self._pending = self._workshop.enrolment.begin(node, order.site, order.design.name, self._found.mac, scope)
        if self._before not in (None, self._pending.node):
            enrolment = self._workshop.enrolment
            enrolment.abandon(self._pending._replace(node=str(self._before)), "its board was provisioned anew")
        return {"node": self._pending.node, "title": self._pending.site_title}

    def _flash(self) -> dict[str, Any]:
        board = self._order.design.board
        image = images.find(self._workshop.directory, board, stand_in=self._workshop.virtual)
        parts = [*images.parts(self._workshop.directory, image, board), (partitions.OFFSET, partitions.binary(board))]
        before = self._journal.facts("flash") or {}
        same = before.get("image") == image.sha256
        if flash.write(self._port, sorted(parts), lambda: same):
            self._journal.forget("flash", "install", "identity", "configure", "self_test", "start", "contact")
        return {"image": image.sha256, "version": image.version}

    def _install(self) -> dict[str, Any]:
        with Console.open(self._port) as console:
            about = console.about()
            native = NATIVE[self._found.chip]
            if about.architecture != native and not self._workshop.virtual:
                todo = "add the right image with `citynode image add`, and start again with --fresh"
                raise BenchError(expected=f"MicroPython for {native}", got=about.architecture or "none", todo=todo)
            files = _app_files(self._workshop.release(about.architecture, not self._order.design.board.psram_bytes))
            sent = console.install(files, lambda n, all_: self._report("install", f"app: {n} of {all_} files"))
        return {"files": len(files), "sent": sent}

    def _identity(self) -> dict[str, Any]:
        known = self._journal.facts("identity")
        with Console.open(self._port) as console:
            there = console.hashes(["certificate.der"]).get("certificate.der")
            if known and there == known["certificate"]:
                return known
            issued = self._workshop.enrolment.identity(self._pending)
            if issued is None:
                return {"certificate": None, "anchors": 0}
            key, certificate, anchors = issued
            files = identity_files(key, certificate, anchors)
            enrolment = self._workshop.enrolment
            trusted = {"orders.keys": enrolment.order_keys(), "releases.keys": enrolment.release_keys()}
            console.install({**files, **trusted})
        return {"certificate": hashlib.sha256(certificate).hexdigest(), "anchors": len(anchors)}

    def _configure(self) -> dict[str, Any]:
        anchors = (self._journal.facts("identity") or {})["anchors"]
        now_s = int(time.time())
        content = document(self._pending.node, self._order.design, self._workshop.network, anchors, now_s)
        with Console.open(self._port) as console:
            console.install({"node.json": content})
        return {}

    def _self_test(self) -> dict[str, Any]:
        with Console.open(self._port) as console:
            readings = judge(console.self_test(self._workshop.self_test_s))
        self._readings = tuple(readings)
        wrong = [row for row in readings if row.problem]
        if wrong or not readings:
            got = "; ".join(f"{row.sensor} {row.quantity}: {row.problem}" for row in wrong) or "no answer"
            todo = "check its cable and supply against `citynode hardware wiring`, and start the same command again"
            raise BenchError(expected="every sensor to read inside its limits", got=got, todo=todo)
        return {"values": [[row.sensor, row.quantity, row.value, row.unit] for row in readings]}

    def _start(self) -> dict[str, Any]:
        with Console.open(self._port) as console:
            console.reset()
        return {}

    def _contact(self) -> dict[str, Any]:
        self._check_broker()
        give_up_s = time.monotonic() + self._workshop.contact_s
        while not self._workshop.enrolment.heard(self._pending):
            if time.monotonic() > give_up_s:
                got = f"none in {self._workshop.contact_s:.0f} s"
                todo = "check that `citynode serve` runs, and Wi-Fi, password and broker; start the same command again"
                raise BenchError(expected=f"a record of {self._pending.node} in the store", got=got, todo=todo)
            time.sleep(0.2)
        return {}

    def _check_broker(self) -> None:
        where = self._workshop.network.brokers[0]
        address = (str(where["host"]), int(str(where["port"])))
        try:
            socket.create_connection(address, timeout=5).close()
        except OSError as error:
            todo = "start `citynode serve`, then start the same command again: it goes on where it was"
            got = error.strerror or str(error)
            raise BenchError(expected=f"a broker on {address[0]} port {address[1]}", got=got, todo=todo) from error

    def _accept(self) -> dict[str, Any]:
        self._workshop.enrolment.accept(self._pending)
        return {}

    def _label(self) -> dict[str, Any]:
        pending = self._pending
        folder = self._workshop.directory / "labels"
        label.write(folder, label.Label(pending.node, pending.site, pending.site_title))
        return {}


def _app_files(release: Path) -> dict[str, bytes]:
    """Return the files of an app on the device: the package below lib/, and boot.py and main.py, which run at a start.

    boot.py forgets what it was made of, so that main.py finds the code of the slot.
    """
    package = release / "firmware"
    found = sorted(path for path in package.rglob("*") if path.is_file())
    kept = [path for path in found if path.relative_to(package).parts[0] != "virtual"]
    files = {f"lib/{path.relative_to(release).as_posix()}": path.read_bytes() for path in kept}
    start = b"import gc\n\ngc.threshold(4096)\n\nfrom firmware.app import main\n\nmain()\n"
    boot = b"import sys\n\nfrom firmware import boot\n\nboot.run()\ndel boot\n"
    boot += b"for name in list(sys.modules):\n    if name.startswith('firmware'):\n        del sys.modules[name]\n"
    return {**files, "boot.py": boot, "main.py": start}
