"""The link on real MicroPython against real mosquitto, and against brokers that fall silent or break the protocol."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.wire import frame, messages
from tests.firmware.link_rig import CONNACK, LOG, NODE, SUBACK, BadBroker, Broker, Manager, Node
from tests.waiting import wait_for

StartNode = Callable[..., Node]
SHORT = {"OPEN_MS": 400, "ANSWER_MS": 400, "WRITE_MS": 400}


@pytest.fixture
def broker(tmp_path: Path, free_port: int) -> Iterator[Broker]:
    made = Broker(tmp_path, free_port)
    yield made
    made.kill()


@pytest.fixture
def manager(broker: Broker) -> Iterator[Manager]:
    made = Manager(broker.port)
    yield made
    made.stop()


@pytest.fixture
def start() -> Iterator[StartNode]:
    """Start a node that ends with the test."""
    nodes: list[Node] = []

    def begin(port: int, **job: Any) -> Node:
        nodes.append(Node(port, **job))
        return nodes[-1]

    yield begin
    for node in nodes:
        node.kill()


def test_all_records_arrive_once_and_are_released(broker: Broker, manager: Manager, start: StartNode) -> None:
    node = start(broker.port, records=120, seconds=60, limits={"WILL_DELAY_S": 1})
    node.wait(released=120, buffered=0)
    node.kill()
    assert not node.noise
    assert set(manager.copies.values()) == {1}
    for seq, payload in manager.committed.items():
        assert frame.decode(payload).values == [seq]
    wait_for(lambda: len(manager.states) > 1)
    assert [state["online"] for state in manager.states] == [True, False]  # the will, a second after it went
    assert manager.states[0] == {
        "online": True, "boot": 5, "log": LOG, "head": 120, "tail": 0, "firmware": "test",
        "time": manager.states[0]["time"],
    }  # fmt: skip
    assert abs(manager.states[0]["time"] - time.time()) < 60


def test_killed_broker_costs_nothing(broker: Broker, manager: Manager, start: StartNode) -> None:
    node = start(broker.port, records=10, every_ms=40, at_most=150, seconds=90)
    for count in (30, 70):
        wait_for(lambda count=count: len(manager.committed) >= count)
        broker.kill()
        time.sleep(0.3)
        broker.start()
    node.wait(released=150, buffered=0)
    assert sorted(manager.committed) == list(range(150))


def test_message_that_died_after_puback_is_sent_again(broker: Broker, manager: Manager, start: StartNode) -> None:
    manager.forgets, manager.wants = {5}, False
    node = start(broker.port, records=8, seconds=90)
    node.wait(released=5)
    node.wait(released=8)
    assert manager.copies[5] == 2
    assert manager.copies[4] == 1


def test_hole_that_the_manager_wants_is_sent_at_once(broker: Broker, manager: Manager, start: StartNode) -> None:
    manager.forgets = {3, 4, 9}
    node = start(broker.port, records=20, seconds=90, config={"resend_s": 1000})
    node.wait(released=20)
    assert {seq for seq, count in manager.copies.items() if count > 1} >= {3, 4, 9}


def test_record_that_is_never_accepted_becomes_a_loss(broker: Broker, manager: Manager, start: StartNode) -> None:
    manager.deaf_to = {2}
    node = start(broker.port, records=6, seconds=90, config={"resend_s": 0.2})
    node.wait(released=7)
    assert [(loss["first"], loss["last"], loss["reason"]) for loss in manager.losses] == [(2, 2, "not accepted")]
    assert manager.copies[2] >= 6
    assert node.last["lost"] == 1


def test_silent_manager_does_not_keep_live_records_back(broker: Broker, manager: Manager, start: StartNode) -> None:
    manager.silent = True
    node = start(broker.port, records=30, every_ms=200, at_most=50, seconds=90, config={"resend_s": 1000})
    wait_for(lambda: len(manager.committed) == 50)
    assert set(manager.copies.values()) == {1}
    manager.watermark()
    node.wait(released=50)


def test_bad_watermarks_are_ignored_and_counted(broker: Broker, manager: Manager, start: StartNode) -> None:
    manager.silent = True
    node = start(broker.port, records=4, seconds=90)
    wait_for(lambda: len(manager.committed) == 4)
    manager.watermark(log=LOG + 1)
    manager.watermark(next_seq=5)
    node.wait(bad=2, released=0)
    manager.watermark()
    node.wait(bad=2, released=4)


def test_full_outbox_tells_the_manager_what_it_dropped(broker: Broker, manager: Manager, start: StartNode) -> None:
    node = start(broker.port, records=1500, blocks=4, seconds=90)
    wait_for(lambda: node.last.get("buffered") == 0 and node.last["head"] > 1500)
    head = node.last["head"]
    assert sorted(manager.committed) == list(range(head))
    lost = sorted(seq for seq, payload in manager.committed.items() if not payload)
    assert lost == list(range(len(lost)))
    assert node.last["lost"] == len(lost) > 500


def test_orders_reach_the_app_and_garbage_is_counted(broker: Broker, manager: Manager, start: StartNode) -> None:
    node = start(broker.port, seconds=90)
    node.wait(state="send")
    manager.send("command", messages.encode("command", {"id": 7, "name": "x", "arguments": {}, "expires": 9}), qos=1)
    order = node.wait(order="command")
    assert order["fields"]["id"] == 7
    chunk = {"sha256": bytes(32), "offset": 0, "total": 9, "data": bytes(4000)}
    manager.send("chunk", messages.encode("chunk", chunk), qos=1)
    node.wait(order="chunk", fields=4000)
    for payload in (b"", b"\xff" * 40, b"\xa1\x00\x09", bytes(4090)):
        manager.send("desired", payload, qos=1)
    manager._client.publish(f"citynode/1/{NODE}/down/unheard", b"\xa0")
    node.wait(unknown=5, state="send")
    manager.send("desired", messages.encode("desired", {"revision": 1, "settings": {}}), qos=1)
    node.error("desired: an app that fails")
    manager.send("command", messages.encode("command", {"id": 8, "name": "x", "arguments": {}, "expires": 9}), qos=1)
    wait_for(lambda: sum(line.get("order") == "command" for line in node.lines) == 2)
    assert node.last["state"] == "send"


def test_message_over_the_packet_limit_does_not_reach_the_node(
    broker: Broker, manager: Manager, start: StartNode
) -> None:
    node = start(broker.port, seconds=90)
    node.wait(state="send")
    manager.send("chunk", bytes(1_000_000), qos=1)
    manager.send("desired", b"", qos=1)
    node.wait(unknown=1)
    assert node.last["error"] == ""


def test_health_goes_out_while_records_are_sent(broker: Broker, manager: Manager, start: StartNode) -> None:
    start(broker.port, records=200, seconds=60, health=True)
    wait_for(lambda: len(manager.committed) == 200 and len(manager.other) > 3)
    assert {kind for kind, _ in manager.other} == {"health"}


def test_publish_that_the_access_list_forbids_costs_no_record(tmp_path: Path, free_port: int, start: StartNode) -> None:
    (tmp_path / "acl").write_text("pattern read citynode/1/%u/down/#\npattern write citynode/1/%u/up/state\n")
    (tmp_path / "acl").chmod(0o600)
    broker = Broker(tmp_path, free_port, f"allow_anonymous true\nacl_file {tmp_path}/acl\n")
    try:
        node = start(broker.port, records=30, seconds=90, config={"resend_s": 0.2})
        node.error("publish: expected success, got reason 0x87")
        wait_for(lambda: node.last["refused"] >= 8)  # a window, then ever more rarely
        time.sleep(3)
        assert node.last["lost"] == 0
        assert node.last["refused"] < 80
        assert node.last["state"] == "send"
    finally:
        broker.kill()


def test_broker_that_never_answers_ends_in_a_deadline(start: StartNode) -> None:
    broker = BadBroker()
    node = start(broker.port, seconds=90, limits=SHORT)
    node.error("open: expected an answer within 400 ms, got none")
    wait_for(lambda: broker.connections >= 2)
    broker.close()


def test_half_open_link_ends_in_a_deadline(start: StartNode) -> None:
    for answers, records, error in (
        ((CONNACK,), 1, "announce: expected SUBACK within 400 ms"),
        ((CONNACK, SUBACK), 1, "expected PUBACK within 400 ms, got none"),
        ((CONNACK, SUBACK, b"\x40\x02\x00\x02"), 0, "await: expected PINGRESP within 400 ms"),
    ):
        if records == 0:  # the broker asks for a keepalive of one second
            answers = (b"\x20\x06\x00\x00\x03\x13\x00\x01", *answers[1:])
        broker = BadBroker(*answers)
        node = start(broker.port, records=records, seconds=90, limits=SHORT)
        node.error(error)
        node.kill()
        broker.close()


def test_broker_that_breaks_the_protocol_is_told_why(start: StartNode) -> None:
    huge = b"\x30\xff\xff\xff\x7f"
    for packet, reason in (
        (huge, b"\xe0\x01\x95"),
        (b"\x50\x02\x00\x01", b"\xe0\x01\x82"),
        (b"\x40\x00", b"\xe0\x01\x81"),
    ):
        broker = BadBroker(CONNACK, SUBACK, packet)
        node = start(broker.port, records=1, seconds=90)
        wait_for(lambda broker=broker, reason=reason: reason in broker.received)
        wait_for(lambda broker=broker: broker.connections >= 2)
        node.kill()
        broker.close()


def test_refused_connection_is_named_and_the_next_broker_tried(broker: Broker, start: StartNode) -> None:
    refusing = BadBroker(b"\x20\x03\x00\x87\x00")
    addresses = [{"host": "127.0.0.1", "port": port} for port in (refusing.port, broker.port)]
    node = start(0, seconds=90, config={"brokers": addresses})
    node.error("open: expected the broker to accept the node, got reason 0x87")
    node.wait(state="send")
    refusing.close()


def test_second_node_of_the_same_name_makes_both_come_back_late(
    broker: Broker, manager: Manager, start: StartNode
) -> None:
    nodes = [start(broker.port, seconds=90) for _ in range(2)]

    def opened(node: Node) -> int:
        return sum(line.get("state") in ("open", "announce") for line in list(node.lines))

    wait_for(lambda: all(opened(node) >= 2 for node in nodes))
    time.sleep(8)
    assert [node.lines for node in nodes if opened(node) > 7] == []


def test_memory_does_not_grow_with_what_was_sent(broker: Broker, manager: Manager, start: StartNode) -> None:
    node = start(broker.port, every_ms=20, at_once=6, seconds=9, memory=True, health=True, blocks=16)
    node.finish()
    used = [(line["sent"], line["alloc"]) for line in node.lines if "alloc" in line]
    early, late = used[2], used[-1]
    assert late[0] - early[0] > 700, used
    assert late[1] - early[1] < 600, used
