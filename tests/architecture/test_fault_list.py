"""The faults that `fault_detection` replays are all that a virtual node can have: a new one in a model fails here."""

from __future__ import annotations

import ast

from tests.benchmarks.fault_cases import missing
from tests.benchmarks.fault_list import asked, offered


def test_every_fault_of_every_model_is_replayed() -> None:
    assert missing() == set()


def test_list_is_read_from_the_models_and_the_bus() -> None:
    found = offered()
    assert len(found) == 13 and sum(map(len, found.values())) >= 81
    assert {"nack", "stuck", "bad_crc"} <= found["sps30"] and "bad_crc" not in found["bme280"]
    assert {"garbage", "brown_out", "fan"} <= found["pms5003"]  # of what it is made of, and its own


def test_a_new_fault_is_seen_however_a_model_asks_for_it() -> None:
    model = """
if self.fault() == "melted": ...
if fault not in ("wet", "frozen"): ...
status = {"blind": 4}.get(self.fault(), 9)
if self._board.fault(self._part) != "stolen": ...
if colour == "red": ...
"""
    assert asked(ast.parse(model)) == {"melted", "wet", "frozen", "blind", "stolen"}
