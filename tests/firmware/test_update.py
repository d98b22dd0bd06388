"""The node's decisions about an update: what it refuses and why, what it asks for, when a release has proved itself."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from device_manager.releases import bundles
from device_manager.releases.tree import build
from firmware.update import UpdateError, fetch, plan
from firmware.update.fetch import Fetch
from firmware.update.proof import CONFIRM, GO_ON, PUT_OFF, ROLL_BACK, WAIT, Facts, Proof
from firmware.wire import WireError, releases
from tests.conftest import Run
from tests.fakes.small_release import EXPIRES_S, NEW, SmallRelease

NODE: dict[str, Any] = {
    "now_s": EXPIRES_S - 1, "family": "x64", "board": "board-1", "interpreter": 0x11D, "confirmed": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallRelease:
    made = SmallRelease(tmp_path_factory.mktemp("release"))
    made.write()
    return made


def opened(small: SmallRelease, root: bytes, offer: bytes) -> tuple[dict[str, Any], int]:
    found: tuple[dict[str, Any], int] = plan.open_offer(root, offer, small.keys.moduli)
    return found


@pytest.mark.parametrize(
    ("root", "node", "reason"),
    [
        ({}, {}, ""),
        ({}, {"board": ""}, ""),
        ({}, {"now_s": EXPIRES_S + 1}, "expected an offer that is not expired"),
        ({"family": "xtensawin"}, {}, "expected code for x64, got xtensawin"),
        ({}, {"board": "board-2"}, "expected a release for board board-2, got one for board-1"),
        (
            {"interpreter": (0x11A, 0x11D)},
            {},
            "expected a release for MicroPython 1.29, got one for 1.26 to below 1.29",
        ),
        ({}, {"confirmed": 2}, "expected a number above 2, got 2"),
        ({}, {"confirmed": 7}, "expected a number above 7, got 2"),
        ({"number": 9, "needs": 3}, {}, "expected release 3 first"),
    ],
)
def test_release_that_does_not_fit_is_refused_with_its_own_reason(
    small: SmallRelease, root: dict[str, Any], node: dict[str, Any], reason: str
) -> None:
    signed = small.root(**root)
    fields, expires_s = opened(small, signed, small.offer(signed))
    found = plan.objection(fields, expires_s, {**NODE, **node})
    assert found.startswith(reason) and bool(found) == bool(reason)


def test_signature_of_a_third_key_is_refused(small: SmallRelease) -> None:
    root = small.root()
    offer = small.offer(root)
    with pytest.raises(UpdateError, match="root: expected the signature of a trusted key"):
        opened(small, small.by_a_third_key(root), offer)
    with pytest.raises(UpdateError, match="offer: expected the signature of a trusted key"):
        opened(small, root, small.by_a_third_key(offer))


def test_second_key_is_trusted_from_day_one(small: SmallRelease) -> None:
    root = small.keys.sign(releases.pack_root(_fields(small)), 2)
    assert opened(small, root, small.offer(root))[0]["number"] == 2


def _fields(small: SmallRelease) -> dict[str, Any]:
    from device_manager.releases.shelf import payload_of

    return dict(releases.check_root(payload_of(small.root())))


def test_offer_of_another_root_and_truncated_messages_are_refused(small: SmallRelease) -> None:
    root, other = small.root(), small.root(number=3)
    with pytest.raises(UpdateError, match="expected an offer of this root"):
        opened(small, root, small.offer(other))
    with pytest.raises(UpdateError, match="root: expected"):
        opened(small, root[:-1], small.offer(root))
    with pytest.raises(UpdateError, match="offer: expected at most 1900 bytes"):
        opened(small, root, bytes(1901))


def test_root_and_offer_in_each_others_place_are_refused(small: SmallRelease) -> None:
    root = small.root()
    with pytest.raises(UpdateError, match="expected"):
        opened(small, small.offer(root), root)


def test_two_gigabytes_are_refused_before_anything_is_written(small: SmallRelease) -> None:
    download = Fetch(0, 1 << 20)
    assert not download.take(0, 1 << 31, 2048, 0)
    assert (download.fault, download.got) == (fetch.TOO_LONG, 0)
    line = f"f {1 << 31} {'00' * 32} app.mpy\n"
    with pytest.raises(WireError, match="expected at most 1048576 bytes of app.mpy, got 2147483648"):
        releases.read_directory(releases.DIRECTORY_HEAD.encode() + line.encode())


@pytest.mark.parametrize("name", ["..", "../a", ".dir", "a/b", "", "x\\y"])
def test_directory_with_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    line = f"f 1 {'00' * 32} {name}\n"
    with pytest.raises(WireError, match=r"expected a plain name|expected kind"):
        releases.read_directory(releases.DIRECTORY_HEAD.encode() + line.encode())


UNPACK = """
import asyncio, json, sys
from firmware import boot
from firmware.update import UpdateError, unpack
about = json.load(open("about.json"))
try:
    asyncio.run(unpack.write(sys.argv[1], bytes.fromhex(about["new"]), sys.argv[2], "b/firmware"))
    print("written", boot.damage("b", about["new"]))
except UpdateError as error:
    print("refused", error)
"""


def unpacked(micropython: Run, small: SmallRelease, part: str, old: str = "a/firmware") -> str:
    done = micropython(UNPACK, part, old, cwd=small.folder)
    assert done.stderr == ""
    return done.stdout.strip()


def test_slot_is_written_from_a_difference_and_from_all_of_it(micropython: Run, small: SmallRelease) -> None:
    assert unpacked(micropython, small, "bundle") == "written"
    found = {p.relative_to(small.folder / "b" / "firmware").as_posix(): p.read_bytes()
             for p in (small.folder / "b" / "firmware").rglob("*.mpy")}  # fmt: skip
    assert found == NEW
    assert unpacked(micropython, small, "whole", "") == "written"


def test_swapped_files_cut_bundle_and_damaged_slot_are_refused_by_name(micropython: Run, small: SmallRelease) -> None:
    swapped = build({**NEW, "app.mpy": NEW["wire/new.mpy"], "wire/new.mpy": NEW["app.mpy"]})
    (small.folder / "swapped").write_bytes(bundles.make(swapped))
    assert unpacked(micropython, small, "swapped", "").startswith("refused /.dir: expected sum")
    bundle = (small.folder / "whole").read_bytes()
    (small.folder / "cut").write_bytes(bundle[: len(bundle) // 2])
    assert unpacked(micropython, small, "cut", "").startswith("refused /")
    same = small.folder / "a" / "firmware" / "wire" / "cbor.mpy"
    good = same.read_bytes()
    same.write_bytes(good[:-1])
    assert unpacked(micropython, small, "bundle").startswith("refused /wire/cbor.mpy: expected sum")
    same.write_bytes(good)


def test_interrupted_fetch_asks_again_for_at_most_two_pieces() -> None:
    piece, total, asked = Fetch(0, 1 << 20), 100 * releases.CHUNK_BYTES, 0
    while piece.got < 90 * releases.CHUNK_BYTES:
        offset, count = piece.due(0)
        asked += count
        piece.take(offset, total, releases.CHUNK_BYTES, 0)
        while count > 1 and piece.got < 90 * releases.CHUNK_BYTES:
            count -= 1
            piece.take(piece.got, total, releases.CHUNK_BYTES, 0)
    again = Fetch(piece.got, 1 << 20)  # after a reset
    while not again.done:
        offset, count = again.due(0)
        asked += count
        for _ in range(count):
            again.take(again.got, total, releases.CHUNK_BYTES, 0)
    assert asked <= 100 + fetch.WINDOW


def test_fetch_waits_longer_each_time_that_nothing_comes() -> None:
    piece, times = Fetch(0, 1 << 20), []
    for now_ms in range(0, 200_000, 1000):
        if piece.due(now_ms):
            times.append(now_ms)
    assert times[:5] == [0, 5000, 15000, 35000, 75000]


def test_fetch_begins_anew_when_the_whole_changes() -> None:
    piece = Fetch(4096, 1 << 20)
    assert not piece.take(4096, 2048, 10, 0)
    assert piece.fault == fetch.ANOTHER


def judged(proof_: Proof, *facts: tuple[int, bool, bool, bool]) -> tuple[str, str]:
    found = (GO_ON, "")
    for fact in facts:
        found = proof_.judge(Facts(*fact))
    return found


def test_trial_is_kept_when_frame_is_in_and_every_channel_reads() -> None:
    trial = Proof(["air pm2_5", "gate in"], 900, 0)
    assert judged(trial, (10, True, True, True))[0] == GO_ON
    trial.see("air pm2_5")
    trial.see("gate in")
    assert judged(trial, (20, True, True, False))[0] == GO_ON
    assert judged(trial, (30, True, True, True))[0] == CONFIRM


def test_trial_without_a_channel_that_read_before_is_taken_back_by_name() -> None:
    assert judged(Proof(["air pm2_5"], 900, 0), (900, True, True, True)) == (
        ROLL_BACK,
        "no reading of air pm2_5 within 900 s",
    )


def test_sensor_that_was_dead_before_need_not_live() -> None:
    assert judged(Proof([], 900, 0), (5, True, True, True))[0] == CONFIRM


def test_trial_without_a_network_is_put_off_and_taken_back_the_third_time() -> None:
    assert judged(Proof([], 900, 0), (900, False, False, False))[0] == PUT_OFF
    assert judged(Proof([], 900, 1), (900, False, False, False))[0] == PUT_OFF
    assert judged(Proof([], 900, 2), (900, False, False, False))[0] == ROLL_BACK


def test_manager_that_is_away_for_a_week_fails_nobody() -> None:
    trial = Proof([], 900, 0)
    assert judged(trial, (10, True, False, False), (900, True, False, False), (604_800, True, False, False))[0] == WAIT
    assert judged(trial, (604_900, True, True, True))[0] == CONFIRM


def test_manager_that_answers_and_commits_nothing_for_the_whole_limit_is_the_release_s_fault() -> None:
    trial = Proof([], 900, 0)
    assert judged(trial, (1, True, True, False), (900, True, True, False), (1802, True, True, False))[0] == ROLL_BACK


BOOT = """
import json
from firmware import boot
print(json.dumps([boot.pick(), open("slot.bad").read() if "slot.bad" in __import__("os").listdir() else ""]))
"""


def picked(micropython: Run, folder: Path) -> list[str]:
    done: subprocess.CompletedProcess[str] = micropython(BOOT, cwd=folder)
    assert done.stderr == ""
    found: list[str] = json.loads(done.stdout)
    return found


def test_boot_starts_a_trial_three_times_and_then_the_confirmed_slot(micropython: Run, tmp_path: Path) -> None:
    small = SmallRelease(tmp_path)
    small.write()
    assert picked(micropython, tmp_path) == ["", ""]  # what was provisioned
    (tmp_path / "slot.now").write_text(f"1 a 1 {small.old.top.hex()}\n")
    assert unpacked(micropython, small, "bundle") == "written"
    (tmp_path / "slot.try").write_text(f"1 b 2 {small.new.top.hex()} 0 0\n")
    assert [picked(micropython, tmp_path)[0] for _ in range(3)] == ["b", "b", "b"]
    assert picked(micropython, tmp_path) == ["a", "1 2 0 started 3 times and was not confirmed\n"]
    assert not (tmp_path / "slot.try").exists()


def test_boot_runs_nothing_that_is_not_as_listed(micropython: Run, tmp_path: Path) -> None:
    small = SmallRelease(tmp_path)
    small.write()
    (tmp_path / "slot.now").write_text(f"1 a 1 {small.old.top.hex()}\n")
    assert unpacked(micropython, small, "bundle") == "written"
    (tmp_path / "b" / "firmware" / "app.mpy").write_bytes(b"something else")
    (tmp_path / "slot.try").write_text(f"1 b 2 {small.new.top.hex()} 0 0\n")
    assert picked(micropython, tmp_path) == ["a", "1 2 0 b/firmware/app.mpy is not as listed\n"]
    (tmp_path / "a" / "firmware" / "app.mpy").unlink()
    slot, bad = picked(micropython, tmp_path)
    assert (slot, bad) == ("", "1 1 0 the confirmed slot is damaged: a/firmware/app.mpy\n")


IMAGE = """
import hashlib, json
from firmware.hal import ota
from firmware.hal.files import replace
from firmware.update import UpdateError
from firmware.update.image import Image
from firmware.virtual import ota as model
data = b"\\xe9" + bytes(range(251)) * 80
def write(image, start, stop):
    for at in range(start, stop, 2048):
        image.put(at, data[at : at + 2048])
image = Image(ota.Ota(), replace, hashlib.sha256(data).digest(), len(data))
write(image, 0, 10240)
again = Image(ota.Ota(), replace, hashlib.sha256(data).digest(), len(data))  # after a reset
found = [again.begun()]
write(again, again.begun(), len(data))
again.check()
ota.Ota().try_next()
found += [model.boot(), model.read()["state"], model.boot()]      # tried once, then back
ota.Ota().try_next()
model.boot()
ota.keep()
found += [model.boot(), model.read()["state"]]
other = Image(ota.Ota(), replace, bytes(32), 4096)
write(other, 0, 4096)
try:
    other.check()
except UpdateError as error:
    found.append(str(error))
try:
    Image(ota.Ota(), replace, bytes(32), 1 << 31)
except UpdateError as error:
    found.append(str(error))
print(json.dumps(found))
"""


def test_image_goes_on_after_a_reset_and_is_tried_once_by_the_model_of_the_bootloader(
    micropython: Run, tmp_path: Path
) -> None:
    done = micropython(IMAGE, cwd=tmp_path)
    assert done.stderr == "", done.stderr
    begun, tried, state, back, kept, good, wrong, long = json.loads(done.stdout)
    assert begun == 8192  # the block that was being written begins anew
    assert (tried, state, back) == (1, "pending", 0)
    assert (kept, good) == (1, "valid")
    assert wrong.startswith("image: expected sum 00000000")
    assert long == "expected an image of at most 2097152 bytes, got 2147483648"
