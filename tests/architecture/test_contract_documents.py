"""asyncapi.yaml, contract.cddl and the code of the contract say the same."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from firmware.wire import VERSION, messages, records, topics
from hardware.catalog import quantities
from hardware.generate import main as generate

WIRE = Path(topics.__file__).parent
API = yaml.safe_load((WIRE / "asyncapi.yaml").read_text("utf-8"))
CDDL = (WIRE / "contract.cddl").read_text("utf-8")


def test_asyncapi_names_every_topic_and_no_other() -> None:
    addresses = {channel["address"] for channel in API["channels"].values()}
    expected = {topics.up("node", kind) for kind in topics.UP} | {topics.down("node", kind) for kind in topics.DOWN}
    assert addresses == {address.replace("/node/", "/{node}/") for address in expected}


def test_asyncapi_directions_are_the_nodes() -> None:
    sent = {op["channel"]["$ref"].split("/")[-1] for op in API["operations"].values() if op["action"] == "send"}
    received = {op["channel"]["$ref"].split("/")[-1] for op in API["operations"].values() if op["action"] == "receive"}
    assert (sent, received) == (set(topics.UP), set(topics.DOWN))


def test_asyncapi_payloads_are_rules_of_the_cddl() -> None:
    rules = set(re.findall(r"^([a-z0-9-]+) = ", CDDL, re.M))
    assert {message["payload"]["schema"] for message in API["components"]["messages"].values()} <= rules


def test_asyncapi_and_cddl_carry_the_contracts_version() -> None:
    assert API["info"]["version"] == str(VERSION)
    assert re.search(r"^version = (\d+)$", CDDL, re.M).group(1) == str(VERSION)  # type: ignore[union-attr]


def test_cddl_keys_of_every_message_are_those_of_the_code() -> None:
    bodies = {**messages.FIELDS, **records.BODIES}
    for kind, table in bodies.items():
        rule = re.search(rf"^{kind} = (.*?)\}}", CDDL, re.M | re.S)
        assert rule, kind
        keys = {int(key): not optional for optional, key in re.findall(r"(\? )?\b(\d+): ", rule.group(1))}
        keys.pop(0, None)
        assert keys == {key: required for key, _, _, required in messages.rows(table)}, kind


def test_generated_quantities_are_up_to_date() -> None:
    assert generate(["--check"]) == 0


def test_quantities_fit_the_wire_over_their_whole_range() -> None:
    from firmware.wire.frame import MAX_VALUE

    for quantity in quantities().values():
        low, high = quantity.range or (0, 0)
        assert -MAX_VALUE < low * quantity.denominator <= high * quantity.denominator < MAX_VALUE, quantity.name
