"""The golden vectors hold on CPython, on MicroPython, for a stock CBOR library and for the CDDL."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path

import cbor2
import pytest

from tests.conftest import ROOT, Run
from tests.contract import check_vectors

HERE = Path(__file__).parent
VECTORS = json.loads((HERE / "vectors.json").read_text("utf-8"))
EXPECTED_COUNT = sum(len(group) for group in VECTORS.values())


def test_vectors_on_cpython_encode_and_decode() -> None:
    assert check_vectors.failures(VECTORS) == []


def test_vectors_on_micropython_encode_and_decode(micropython: Run) -> None:
    done = micropython(HERE / "check_vectors.py", str(HERE / "vectors.json"))
    assert (done.stdout, done.stderr) == (f"checked {EXPECTED_COUNT}\n", "")


def test_every_kind_has_vectors_good_and_later_keys() -> None:
    from firmware.wire import topics

    assert {v["kind"] for v in VECTORS["good"]} == {*topics.UP, *topics.DOWN}
    assert VECTORS["later"]


def test_frames_by_stock_cbor_and_a_running_sum_give_the_columns() -> None:
    for vector in VECTORS["good"]:
        if vector["kind"] != "frame":
            continue
        *_, count, differences = cbor2.loads(bytes.fromhex(vector["hex"]))[:8]
        sums = itertools.accumulate(d or 0 for d in differences)
        flat = [None if d is None else s for d, s in zip(differences, sums, strict=True)]
        assert [flat[i : i + count] for i in range(0, len(flat), count)] == vector["fields"]["columns"], vector["name"]


@pytest.fixture(scope="session")
def cddl_verdicts() -> dict[tuple[str, str], bool]:
    """What zcbor says of every vector; its Python is in .venv/zcbor or named by CITYNODE_ZCBOR."""
    python = os.environ.get("CITYNODE_ZCBOR") or str(ROOT / ".venv" / "zcbor" / "bin" / "python")
    command = [python, HERE / "judge_cddl.py", ROOT / "firmware" / "wire" / "contract.cddl", HERE / "vectors.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"expected zcbor in {python}, made by `python3 -m tests`:\n{done.stderr}"
    return {(kind, name): accepted for kind, name, accepted in json.loads(done.stdout)}


def test_cddl_accepts_every_good_vector(cddl_verdicts: dict[tuple[str, str], bool]) -> None:
    good = [(v["kind"], v["name"]) for v in VECTORS["good"] + VECTORS["later"]]
    assert [key for key in good if not cddl_verdicts[key]] == []


def test_cddl_refuses_bad_vectors_that_it_can_tell(cddl_verdicts: dict[tuple[str, str], bool]) -> None:
    telling = [(v["kind"], v["name"]) for v in VECTORS["bad"] if v["cddl"]]
    assert len(telling) > 25
    assert [key for key in telling if cddl_verdicts[key]] == []
