"""The forecast names who is cut off when; renewal begins at two thirds; the passphrase locks every key of a CA."""

import time
from pathlib import Path

import pytest

from device_manager import app, upkeep
from device_manager.errors import SetupError
from device_manager.fleet import local, open_fleet
from device_manager.identities import Authority
from device_manager.identities.forecast import forecast, unreachable_from
from device_manager.identities.keys import FileKeys, find_passphrase
from device_manager.identities.order_keys import OrderKeys
from device_manager.orders.courier import AGAIN_S, Courier
from device_manager.orders.service import EXPIRES_S
from device_manager.orders.spool import DONE, EXPIRED, REFUSED, WAITING, Spool
from device_manager.settings import Settings
from firmware.wire import cose, messages, orders
from tests.fakes.signing import Signing

DAY_S = 86_400
NOW_S = time.time()


class Wire:
    """What was published."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, int, bool]] = []

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        self.sent.append((topic, payload, qos, retain))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = app.initialise(tmp_path / "data", name="test", host="127.0.0.1", port=None, broker="mosquitto")
    with open_fleet(made) as fleet:
        site = fleet.registry.add_site("bench", "Bench", 47.7, 10.3, 4.0, "", scope=local())
        authority = Authority.open(made.identities)
        for index, days_ago in enumerate((300, 200)):
            fleet.registry.add_node(f"kempten-0{index}", site, int(NOW_S * 1000), scope=local())
            authority.issue_node(f"kempten-0{index}", NOW_S - days_ago * DAY_S)
    return made


def test_forecast_is_sorted_and_names_the_nodes_of_each_end() -> None:
    ends = forecast({"a-1": 50.0, "b-1": 10.0}, [("list", 30.0, "serve")], ["a-1", "b-1"])
    assert [(end.end_s, end.nodes) for end in ends] == [(10.0, ("b-1",)), (30.0, ("a-1", "b-1")), (50.0, ("a-1",))]
    assert (unreachable_from(ends, "a-1"), unreachable_from(ends, "b-1")) == (30.0, 10.0)
    assert unreachable_from(ends, "c-1") is None


def test_forecast_of_a_fleet_names_list_broker_root_and_every_node(settings: Settings) -> None:
    ends = upkeep.look_ahead(settings)
    assert [end.what for end in ends] == [
        "list of revoked certificates",
        "certificate of kempten-00",
        "certificate of kempten-01",
        "certificate of the broker",
        "issuer of the fleet",
        "root of the fleet",
    ]
    assert round((ends[1].end_s - NOW_S) / DAY_S) == 97


def test_what_ends_within_thirty_days_is_warned_of_with_what_to_do(settings: Settings) -> None:
    ends = upkeep.look_ahead(settings)
    assert upkeep.warnings(ends, NOW_S) == []
    late = upkeep.warnings(ends, NOW_S + 65 * DAY_S)
    assert late == ["list of revoked certificates ends in 25 days and cuts 2 nodes off: `citynode serve` renews it"]


def test_node_past_two_thirds_of_its_certificate_gets_one_order(settings: Settings) -> None:
    made = upkeep.renew_due(settings, NOW_S)
    assert [order.node for order in made] == ["kempten-00"]
    assert upkeep.renew_due(settings, NOW_S) == []  # it waits


def test_certificate_that_a_node_did_not_take_does_not_count(settings: Settings) -> None:
    before = upkeep.in_use(settings)["kempten-00"]
    order = upkeep.renew_due(settings, NOW_S)[0]
    assert upkeep.in_use(settings)["kempten-00"] == before
    Spool(settings.orders).settle(order, REFUSED, "taken back")
    assert upkeep.in_use(settings)["kempten-00"] == before
    Spool(settings.orders).settle(order, DONE, "")
    assert upkeep.in_use(settings)["kempten-00"] > before


def test_order_is_sent_at_qos_0_again_until_it_is_answered_and_then_forgotten(settings: Settings) -> None:
    spool, wire, answers = Spool(settings.orders), Wire(), []
    courier = Courier(spool, wire, lambda: [answers.pop()] if answers else [])  # type: ignore[arg-type]
    order = upkeep.renew_due(settings, NOW_S)[0]
    for after_s in (0, 1, AGAIN_S + 1):
        courier.step(NOW_S + after_s)
    assert [(topic, qos, retain) for topic, _, qos, retain in wire.sent] == [
        ("citynode/1/kempten-00/down/order", 0, False)
    ] * 2
    signed = messages.decode("order", wire.sent[0][1])["signed"]
    keys = OrderKeys(settings.identities).public()
    payload = cose.verify(signed, [keys[: cose.KEY_BYTES]])
    assert orders.check(payload, "kempten-00", 0, int(NOW_S))["arguments"]["key"]
    reply = {"command": order.counter, "ok": True, "reason": ""}
    answers.append(("kempten-00", messages.encode("reply", reply)))
    courier.step(NOW_S + 7)
    assert [(o.state, o.signed) for o in spool.orders()] == [(DONE, b"")]


def test_answer_of_another_node_settles_nothing(settings: Settings) -> None:
    order = upkeep.renew_due(settings, NOW_S)[0]
    reply = messages.encode("reply", {"command": order.counter, "ok": True, "reason": ""})
    Courier(Spool(settings.orders), Wire(), lambda: [("kempten-01", reply)]).step(NOW_S)  # type: ignore[arg-type]
    assert Spool(settings.orders).orders()[0].state == WAITING


def test_order_that_nobody_answers_expires_and_its_secret_goes(settings: Settings) -> None:
    order = upkeep.renew_due(settings, NOW_S)[0]
    path = settings.orders / f"kempten-00-{order.counter}.json"
    assert order.signed.hex() in path.read_text()
    Courier(Spool(settings.orders), Wire(), list).step(NOW_S + EXPIRES_S + 1)  # type: ignore[arg-type]
    assert Spool(settings.orders).orders()[0].state == EXPIRED
    assert order.signed.hex()[:200] not in path.read_text()


def test_numbers_of_orders_grow_even_after_a_restored_backup(settings: Settings) -> None:
    spool = Spool(settings.orders)
    first = upkeep.open_orders(settings).decommission("kempten-00", NOW_S, scope=local())
    assert spool.next_counter("kempten-00", NOW_S) == first.counter + 1
    (settings.orders / f"kempten-00-{first.counter}.json").unlink()
    assert spool.next_counter("kempten-00", NOW_S + 1) > first.counter


def test_key_is_encrypted_when_there_is_a_passphrase(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    FileKeys(tmp_path, lambda: b"geheim").save("ca", ec.generate_private_key(ec.SECP256R1()))
    assert b"ENCRYPTED" in (tmp_path / "ca.key").read_bytes()
    assert FileKeys(tmp_path, lambda: b"geheim").load("ca").curve.name == "secp256r1"
    with pytest.raises(SetupError, match="CITYNODE_CA_PASSPHRASE"):
        FileKeys(tmp_path, lambda: b"wrong").load("ca")
    with pytest.raises(SetupError, match="got none"):
        FileKeys(tmp_path, lambda: None).load("ca")


def test_passphrase_comes_from_environment_or_file(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"from file\n")
    assert find_passphrase({"CITYNODE_CA_PASSPHRASE": "word"}) == b"word"
    assert find_passphrase({"CITYNODE_CA_PASSPHRASE_FILE": str(tmp_path / "p")}) == b"from file"
    assert find_passphrase({}) is None


def test_signature_of_the_fleet_is_what_a_node_verifies() -> None:
    signing = Signing()
    assert cose.verify(signing.sign(b"payload"), [signing.public()[: cose.KEY_BYTES]]) == b"payload"
