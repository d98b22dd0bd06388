"""Nothing false is installed: each wrong release ends with a reason of its own, which the admin sees, and an untouched
node. With the firmware's own code on MicroPython, from the offer to the report; every single byte flipped is the
benchmark `tamper`.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from device_manager.ports import UpdateSeen
from device_manager.releases import bundles
from device_manager.releases.tree import build
from device_manager.shadow import Shadow, fold
from firmware.wire import messages, releases
from tests.conftest import find_micropython, micropython_path
from tests.fakes.small_release import EXPIRES_S, NEW, OLD, SmallRelease

SCRIPT = Path(__file__).parent / "on_node" / "refusals.py"
REASONS = {
    "wrong board": ("rejected", "expected a release for board board-1, got one for board-2"),
    "wrong chip": ("rejected", "expected code for x64, got xtensawin"),
    "wrong interpreter": ("rejected", "expected a release for MicroPython 1."),
    "older number": ("rejected", "expected a number above 1, got 1"),
    "needs another first": ("rejected", "expected release 2 first, got it on release 1"),
    "expired offer": ("rejected", "expected an offer that is not expired, got 1898999999, now it is 1899000000"),
    "root by a third key": ("rejected", "root: expected the signature of a trusted key"),
    "offer by a third key": ("rejected", "offer: expected the signature of a trusted key"),
    "offer of another root": ("rejected", "expected an offer of this root, got one of another"),
    "truncated root": ("rejected", "root: expected "),
    "truncated bundle": ("failed", "/app.mpy: "),
    "swapped files": ("failed", "/.dir: expected sum "),
    "old files": ("failed", "/.dir: expected sum "),
    "2 GB": ("failed", "expected at most 1048576 bytes, the manager has more"),
}


def offers(small: SmallRelease) -> dict[str, tuple[bytes, bytes]]:
    """{case: signed root and offer}."""
    root = small.root()
    changed: dict[str, dict[str, Any]] = {
        "wrong board": {"boards": ["board-2"]},
        "wrong chip": {"family": "xtensawin"},
        "wrong interpreter": {"interpreter": (0x101, 0x102)},
        "older number": {"number": 1},
        "needs another first": {"number": 9, "needs": 2},
    }
    found = {case: (made := small.root(**fields), small.offer(made)) for case, fields in changed.items()}
    found |= dict.fromkeys(("truncated bundle", "swapped files", "old files", "2 GB"), (root, small.offer(root)))
    found["expired offer"] = (root, small.offer(root, 1_898_999_999))
    found["root by a third key"] = (small.by_a_third_key(root), small.offer(root))
    found["offer by a third key"] = (root, small.by_a_third_key(small.offer(root)))
    found["offer of another root"] = (root, small.offer(small.root(notes="another")))
    found["truncated root"] = (root[:-1], small.offer(root))
    return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """{case: [state, reason, is the node untouched]}."""
    folder = tmp_path_factory.mktemp("refused")
    small = SmallRelease(folder)
    small.write()
    assert EXPIRES_S > 1_899_000_000
    (folder / "slot.now").write_text(f"1 a 1 {small.old.top.hex()}\n")
    swapped = build({**NEW, "app.mpy": NEW["wire/new.mpy"], "wire/new.mpy": NEW["app.mpy"]})
    (folder / "swapped").write_bytes(bundles.make(swapped))
    (folder / "old").write_bytes(bundles.make(build(OLD)))
    (folder / "cut").write_bytes((folder / "whole").read_bytes()[:400])
    cases = {"truncated bundle": "cut", "swapped files": "swapped", "old files": "old", "2 GB": "2 GB"}
    for case, (root, offer) in offers(small).items():
        (folder / f"{case}.offer").write_bytes(messages.encode("offer", {"root": root, "offer": offer}))
    (folder / "cases.json").write_text(json.dumps({case: cases.get(case, "whole") for case in REASONS}))
    done = subprocess.run(
        [find_micropython(), "-X", "heapsize=1m", str(SCRIPT)],
        cwd=folder, env={"MICROPYPATH": micropython_path()}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("case", REASONS)
def test_false_release_is_refused_with_its_reason_and_the_node_stays_as_it_was(
    told: dict[str, list[Any]], case: str
) -> None:
    state, reason, untouched = told[case]
    assert (state, reason[: len(REASONS[case][1])], untouched) == (*REASONS[case], True)


def test_admin_sees_each_reason_and_no_two_are_alike(told: dict[str, list[Any]]) -> None:
    seen = set()
    for state, reason, _ in told.values():
        event = UpdateSeen(1, {"state": state, "number": 2, "reason": reason})
        seen.add(fold(Shadow("kempten-01"), event).update["reason"])
    assert len(seen) == len(told) and releases.REJECTED in {state for state, _, _ in told.values()}
