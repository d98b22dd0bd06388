"""A power cut at every fsync of the store: what was not synced is gone, and no published watermark is untrue."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from device_manager.adapters import store_engine
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_sql import SqlStore
from device_manager.ingest.commit import Committer
from device_manager.ports import Incoming
from device_manager.shadow import JsonFold
from tests.fakes.power_cut import Disk, connect
from tests.fakes.speaker import Speaker
from tests.fakes.stores import Bench

BATCHES = 60


class Cuts:
    """Writes batches on a forgetful disk; at every fsync looks at what a cut would leave, several times."""

    def __init__(self, directory: Path) -> None:
        self.published = 0
        self.count = 0
        self.sizes: set[int] = set()
        self._image = directory / "image"
        self._chance = random.Random(3)
        self.disk = Disk(self.cut)

    def cut(self) -> None:
        """Cut here: losing all that is not synced, and twice keeping some of it."""
        for chance in (None, self._chance, self._chance):
            shutil.rmtree(self._image, ignore_errors=True)
            self._image.mkdir()
            self.disk.image(self._image, chance)
            self._check()
        self.count += 1

    def _check(self) -> None:
        with closing(sqlite3.connect(self._image / "citynode.db")) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = raw.execute("SELECT number, seq FROM frame ORDER BY number").fetchall()
            mark = raw.execute("SELECT next FROM log").fetchone() or (0,)
        assert len(rows) >= self.published, "a published watermark names records that are gone"
        assert rows == [(seq + 1, seq) for seq in range(len(rows))]
        assert mark == (len(rows),)
        self.sizes.add(len(rows))


@pytest.fixture
def cuts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cuts:
    Bench(tmp_path).close()
    cuts = Cuts(tmp_path)
    plain = sqlite3.connect
    path = tmp_path / "citynode.db"

    def forgetful(name: object, **options: object) -> object:
        return connect(path, cuts.disk, checkpoint_pages=20) if str(path) in str(name) else plain(name)

    monkeypatch.setattr(store_engine.sqlite3, "connect", forgetful)
    return cuts


def batches(speaker: Speaker) -> Iterator[list[Incoming]]:
    yield [speaker.channels()]
    for size in range(1, BATCHES):
        yield [speaker.frame() for _ in range(size % 7 + 1)]


def test_cut_at_every_fsync_leaves_whole_batches_and_true_watermarks(cuts: Cuts, tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "citynode.db")
    committer = Committer(store, Cbor2Codec(), JsonFold())
    whole = {0}
    for batch in batches(Speaker()):
        cuts.published = committer.commit(batch).watermarks[0].next
        whole.add(cuts.published)
    cuts.cut()
    store.close()
    assert cuts.count > BATCHES + 20  # the log at every batch, and checkpoints
    assert cuts.sizes <= whole
    assert max(cuts.sizes) == cuts.published
