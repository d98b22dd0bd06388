"""Trust end to end: real manager, real mosquitto, real nodes; orders, power cuts and a stolen broker."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from paho.mqtt.enums import CallbackAPIVersion

from device_manager import app, rolling_over, upkeep
from device_manager.adapters.mosquitto import Mosquitto, find
from device_manager.errors import SetupError, UsageError
from device_manager.fleet import local, open_fleet
from device_manager.identities import Authority
from device_manager.identities.certificates import fingerprint
from device_manager.orders.spool import DONE, REFUSED
from device_manager.scopes import VIEWER, Forbidden, Scope
from device_manager.settings import Timing
from firmware.wire import messages, orders, topics
from tests.fakes.signing import Signing
from tests.fleet.fleet import Fleet, read_json
from tests.fleet.ordering import make_cheap, order_of, reports, settled
from tests.waiting import wait_for

pytestmark = [pytest.mark.skipif(find() is None, reason="mosquitto is not installed"), pytest.mark.slow]
QUICK = Timing(record_s=1, frame_s=2)
WITHIN_S = 12  # what fails is taken back after that
PATIENT_S = 90  # for what succeeds, on a busy machine


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path, 2, QUICK)
    make_cheap(made)
    with made:
        wait_for(lambda: min(made.committed().values()) > 2)
        yield made


def secrets_at_rest(fleet: Fleet, secret: bytes) -> list[str]:
    """Return the files of the manager, broker included, that hold a secret, as it is or as hex."""
    paths = [path for path in fleet.settings.directory.rglob("*") if path.is_file() and "nodes" not in path.parts]
    return [path.name for path in paths if secret in path.read_bytes() or secret.hex().encode() in path.read_bytes()]


def test_certificate_is_renewed_through_the_session_and_no_secret_stays(fleet: Fleet) -> None:
    directory = fleet.nodes[0].directory
    old = (directory / "key.der").read_bytes()
    order = upkeep.open_orders(fleet.settings).renew("node-00", time.time(), scope=local(), within_s=PATIENT_S)
    spooled = fleet.settings.orders / f"node-00-{order.counter}.json"
    assert spooled.stat().st_mode & 0o777 == 0o600
    assert settled(fleet, order).state == DONE
    tls = read_json(directory / "node.json")["tls"]
    key = (directory / tls["key"]).read_bytes()
    assert key != old
    assert not (directory / "key.der").exists()
    reports(fleet, "node-00")
    assert secrets_at_rest(fleet, key) == []
    assert json.loads(spooled.read_text())["signed"] == ""


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"wifi": {"ssid": "citynode", "password": "wrong"}}, "join"),
        ({"denied": [bytes(32), "the broker's"]}, "not denied"),
        ({"brokers": [{"host": "127.0.0.1", "port": 1, "server_name": "citynode-broker"}]}, "ECONNREFUSED|111|open"),
    ],
)
def test_wrong_wifi_broker_or_denial_is_taken_back_by_the_node_itself(
    fleet: Fleet, parts: dict[str, object], why: str
) -> None:
    if "denied" in parts:
        parts = {"denied": [bytes(32), fingerprint(fleet.settings.identities / "broker.crt")]}
    if "wifi" in parts:
        fleet.board(0, wifi={"ssid": "citynode", "password": "virtual"})
    before = read_json(fleet.nodes[0].directory / "node.json")
    within_s = 33 if "wifi" in parts else WITHIN_S  # a join is given up after 30 s
    began = time.monotonic()
    order = upkeep.open_orders(fleet.settings).change(
        "node-00", "move", parts, time.time(), scope=local(), within_s=within_s
    )
    found = settled(fleet, order, 100)
    assert found.state == REFUSED
    assert f"within {within_s} s" in found.reason and re.search(why, found.reason), found.reason
    assert time.monotonic() - began < within_s + 40
    after = read_json(fleet.nodes[0].directory / "node.json")
    assert all(after[name] == before[name] for name in ("wifi", "brokers", "tls"))
    reports(fleet, "node-00")


def test_intervals_are_changed_through_the_session(fleet: Fleet) -> None:
    parts = {"timing": {"record_s": 2, "frame_s": 4}}
    order = upkeep.open_orders(fleet.settings).change(
        "node-00", "timing", parts, time.time(), scope=local(), within_s=PATIENT_S
    )
    assert settled(fleet, order).state == DONE
    kept = read_json(fleet.nodes[0].directory / "node.json")
    assert (kept["record_s"], kept["frame_s"]) == (2, 4)
    reports(fleet, "node-00")


def test_commands_are_answered_by_the_node_and_kept_in_the_audit_log(fleet: Fleet) -> None:
    orders = upkeep.open_orders(fleet.settings)
    sent = [
        orders.command("node-00", "self-test", time.time(), scope=local()),
        orders.command("node-00", "maintenance", time.time(), scope=local(), minutes=0),
    ]
    looked, ended = (settled(fleet, order) for order in sent)
    assert looked.state == ended.state == DONE
    assert looked.lines[0].startswith("gate works, 0 faults: footfall_in=") and ended.lines == ()
    actions = [entry.action for entry in orders.audit.entries(subject="node-00")]
    assert actions == ["node.command", "node.command", "node.add"]
    with pytest.raises(UsageError, match="expected one of health, .*got dance"):
        orders.command("node-00", "dance", time.time(), scope=local())
    with pytest.raises(Forbidden, match="the role technician to send node-00 a command, got anna, a viewer"):
        orders.command("node-00", "reboot", time.time(), scope=Scope("anna", VIEWER))


def test_decommissioned_node_wipes_itself(fleet: Fleet) -> None:
    order = upkeep.open_orders(fleet.settings).decommission("node-00", time.time(), scope=local())
    wait_for(lambda: order_of(fleet, order).state == DONE)
    wait_for(lambda: not fleet.nodes[0].alive())
    left = {path.name for path in fleet.nodes[0].directory.iterdir()}
    assert not [name for name in left if name.endswith((".der", ".keys")) or name == "node.json"]
    assert set((fleet.nodes[0].directory / "outbox.flash").read_bytes()) == {0xFF}
    assert fleet.committed()["node-00"] > 2  # its readings are kept here
    wait_for(lambda: admission(fleet, "node-00") == "decommissioned")
    with pytest.raises(UsageError, match="not revoked"):
        app.revoke(fleet.settings, "node-00", scope=local())


def test_power_cuts_during_renewal_leave_every_node_reachable(fleet: Fleet) -> None:
    rng = random.Random(5)
    service = upkeep.open_orders(fleet.settings)
    made = [service.renew(node.name, time.time(), scope=local(), within_s=WITHIN_S) for node in fleet.nodes]
    for _ in range(6):
        time.sleep(rng.uniform(0.1, 1.5))
        index = rng.randrange(len(fleet.nodes))
        fleet.kill_node(index)
        fleet.nodes[index].start()
    assert {settled(fleet, order, 120).state for order in made} <= {DONE, REFUSED}
    for node in fleet.nodes:
        reports(fleet, node.name)


def test_roll_over_of_the_ca_with_power_cuts_leaves_every_node_reachable_under_the_new_root(fleet: Fleet) -> None:
    """Two roots as two files, then one: nodes that lose their power in between, and the manager's two stops."""
    rng, settings, old = random.Random(9), fleet.settings, Authority.open(fleet.settings.identities).anchors.root
    fleet.stop_manager()
    rolling_over.start(settings, time.time(), scope=local())
    with pytest.raises(SetupError, match="expected every node to trust the new root, got node-00, node-01 not"):
        rolling_over.finish(settings, time.time(), scope=local())
    made = rolling_over.order_due(settings, time.time(), scope=local(), within_s=60)
    assert rolling_over.order_due(settings, time.time(), scope=local()) == []  # they wait
    fleet.start_manager()
    for _ in range(4):
        time.sleep(rng.uniform(0.3, 1.5))
        index = rng.randrange(len(fleet.nodes))
        fleet.kill_node(index)
        fleet.nodes[index].start()
    assert [settled(fleet, order, 120).state for order in made] == [DONE, DONE]
    for node in fleet.nodes:
        tls = read_json(node.directory / "node.json")["tls"]
        assert len(tls["anchors"]) == 2 and all((node.directory / name).exists() for name in tls["anchors"])
        reports(fleet, node.name)
    fleet.stop_manager()
    rolling_over.finish(settings, time.time(), scope=local())
    last = rolling_over.order_due(settings, time.time(), scope=local(), within_s=60)
    fleet.start_manager()
    assert [settled(fleet, order, 120).state for order in last] == [DONE, DONE]
    for node in fleet.nodes:
        reports(fleet, node.name)
        tls = read_json(node.directory / "node.json")["tls"]
        (anchor,) = [x509.load_der_x509_certificate((node.directory / name).read_bytes()) for name in tls["anchors"]]
        assert anchor == Authority.open(settings.identities).anchors.root != old
    assert {row.state for row in rolling_over.standing(settings)} == {DONE}


def test_stolen_broker_cannot_wipe_move_or_rekey_a_node(fleet: Fleet) -> None:
    """Whoever speaks with the manager's own certificate has no key that signs orders."""
    directory = fleet.nodes[0].directory
    order = upkeep.open_orders(fleet.settings).renew("node-00", time.time(), scope=local(), within_s=PATIENT_S)
    replay = order.signed
    assert settled(fleet, order).state == DONE
    reports(fleet, "node-00")
    before, foreign = files_of(directory), Signing()
    change = {"revision": 4_000_000_000, "within_s": 5}
    forged = [
        foreign.sign(orders.make("node-00", 4_000_000_000, 4_000_000_000, "decommission", {})),
        foreign.sign(orders.make("node-00", 4_000_000_001, 4_000_000_000, "change", {**change, "anchors": [b"x"]})),
        foreign.sign(
            orders.make("node-00", 4_000_000_002, 4_000_000_000, "change", {**change, "key": b"k", "certificate": b"c"})
        ),
        replay,
    ]
    commands = [
        {"id": 1, "name": "decommission", "arguments": {}, "expires": 4_000_000_000},
        {"id": 2, "name": "reboot-into", "arguments": {"wifi": "evil"}, "expires": 4_000_000_000},
    ]
    payloads = [("order", messages.encode("order", {"signed": signed})) for signed in forged]
    payloads += [("command", messages.encode("command", command)) for command in commands]
    payloads += [("desired", messages.encode("desired", {"revision": 99, "settings": {"wifi": "evil"}}))]
    identity, broker = fleet.settings.identities, fleet.settings.broker
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.tls_set(str(identity / "ca.crt"), str(identity / "manager.crt"), str(identity / "manager.key"))
    client.connect("localhost", broker.port)
    client.loop_start()
    for kind, payload in payloads:
        client.publish(topics.down("node-00", kind), payload, qos=1).wait_for_publish(60)
    client.disconnect()
    client.loop_stop()
    reports(fleet, "node-00")
    assert fleet.nodes[0].alive()
    assert files_of(directory) == before


def admission(fleet: Fleet, node: str) -> str:
    with open_fleet(fleet.settings) as opened:
        return opened.registry.node(node).admission


def test_revoked_node_is_out_within_five_seconds_and_stays_out_after_a_restart(fleet: Fleet) -> None:
    log = fleet.settings.broker_directory / "mosquitto.log"
    connected = log.read_text().count("as node-01 ")
    began_s = time.monotonic()
    said = app.revoke(fleet.settings, "node-00", scope=local())
    assert time.monotonic() - began_s < 5
    assert "its connection was ended" in said
    reports(fleet, "node-01")
    assert log.read_text().count("as node-01 ") == connected > 0  # it did not notice
    assert admission(fleet, "node-00") == "rejected"
    taken = fleet.committed()["node-00"]
    fleet.kill_broker()
    reports(fleet, "node-01", 90)
    reports(fleet, "node-01", 90)
    assert fleet.committed()["node-00"] == taken


def test_broker_shows_a_renewed_certificate_without_a_restart_and_nobody_is_cut_off(fleet: Fleet) -> None:
    settings, pid, before = fleet.settings, fleet.broker_pid, shown(fleet)
    connected = (settings.broker_directory / "mosquitto.log").read_text().count("New client connected")
    (settings.identities / "broker.crt").unlink()  # as if it were due
    upkeep.renew_broker(settings, Mosquitto(settings, find()), time.time())
    wait_for(lambda: shown(fleet) != before)
    reports(fleet, "node-00")
    reports(fleet, "node-01")
    assert fleet.broker_pid == pid
    log = (settings.broker_directory / "mosquitto.log").read_text()
    assert log.count("New client connected") == connected


def shown(fleet: Fleet) -> bytes | None:
    """Return the certificate that the broker shows, as DER."""
    identities, broker = fleet.settings.identities, fleet.settings.broker
    context = ssl.create_default_context(cafile=str(identities / "ca.crt"))
    context.load_cert_chain(identities / "manager.crt", identities / "manager.key")
    plain = socket.create_connection((broker.connect_host, broker.port), 5)
    with context.wrap_socket(plain, server_hostname=broker.server_name) as secure:
        return secure.getpeercert(True)


def files_of(directory: Path) -> dict[str, bytes]:
    """Return what says who the node is and whom it obeys."""
    paths = [path for path in directory.iterdir() if path.suffix in (".der", ".keys") or path.name == "node.json"]
    return {path.name: path.read_bytes() for path in paths}


def test_nothing_of_the_spool_is_readable_by_others(fleet: Fleet) -> None:
    order = upkeep.open_orders(fleet.settings).renew("node-01", time.time(), scope=local(), within_s=PATIENT_S)
    assert fleet.settings.orders.stat().st_mode & 0o777 == 0o700
    assert os.listdir(fleet.settings.orders) == [f"node-01-{order.counter}.json"]
    assert settled(fleet, order).state == DONE
