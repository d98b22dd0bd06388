"""Cut the power at every fsync of the store: nothing below a watermark that was sent may be missing."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from device_manager.adapters.store_reader import SqlReader
from tests.conftest import ROOT
from tests.fleet.disk import Disk, Op, record
from tests.fleet.workloads import commit_frames


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> list[Op]:
    """What the store's writer did to its files, and the watermarks that it gave out, in order."""
    folder = tmp_path_factory.mktemp("store")
    script = Path(commit_frames.__file__)
    command = [sys.executable, str(script), str(folder / "data" / "citynode.db")]
    (folder / "data").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return record(command, folder / "data", folder / "trace", environment)


def _promises(printed: bytes) -> dict[int, tuple[int, list[list[int]]]]:
    """Return the newest watermark of every log: {log: (next, want)}."""
    rows = [json.loads(line) for line in printed.splitlines()]
    return {row[0]: (row[1], row[2]) for row in rows if row != "ready"}


def _check(folder: Path, files: dict[str, bytes], printed: bytes) -> int:
    """Open what is left and compare it with the promises; return how many records are there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        if not name.endswith("-shm"):
            (folder / name).write_bytes(content)
    reader = SqlReader(folder / "citynode.db")
    found = list(reader.records())
    reader.close()
    assert [row.number for row in found] == list(range(1, len(found) + 1))
    with sqlite3.connect(folder / "citynode.db") as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        logs = dict(raw.execute("SELECT id, log FROM log").fetchall())
    nodes = {commit_frames.log_of(node): node for node in range(commit_frames.NODES)}
    kept = {(logs[row.log_id], row.seq): row.payload for row in found}
    assert len(kept) == len(found), "a record is there twice"
    for (log, seq), payload in kept.items():
        assert payload == commit_frames.payload_of(nodes[log], seq)
    for log, (next_seq, _) in _promises(printed).items():
        missing = [seq for seq in range(next_seq) if (log, seq) not in kept]
        assert not missing, f"log {log:x}: below the watermark {next_seq} are missing {missing}"
    return len(found)


def test_power_cut_at_every_fsync_keeps_every_promise(operations: list[Op], tmp_path: Path) -> None:
    disk, printed, found = Disk(), b"", []
    rng = random.Random(1)
    for op in operations:
        if op.what == "print":
            printed += op.data
            continue
        cut_here = op.what == "sync" and printed
        for survivors in [None, random.Random(rng.random()), random.Random(rng.random())] if cut_here else []:
            found.append(_check(tmp_path / "left", disk.after_power_cut(survivors), printed))
        disk.apply(op)
        if cut_here:
            found.append(_check(tmp_path / "left", disk.after_power_cut(None), printed))
    assert found[-1] == commit_frames.NODES * commit_frames.FRAMES
    assert len(found) > 60
    print(f"{len(found)} cuts, every promise kept")


def test_a_store_that_does_not_sync_is_caught(operations: list[Op], tmp_path: Path) -> None:
    """The check itself: the same operations without the syncs of the write-ahead log break promises."""
    disk, printed = Disk(), b""
    last_promise = max(at for at, op in enumerate(operations) if op.what == "print")
    for op in operations[: last_promise + 1]:
        if op.what == "print":
            printed += op.data
        elif not (op.what == "sync" and op.file.endswith("-wal") and printed):
            disk.apply(op)
    with pytest.raises(AssertionError, match="below the watermark"):
        _check(tmp_path / "left", disk.after_power_cut(None), printed)
