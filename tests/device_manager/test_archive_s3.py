"""The archive on S3-compatible storage, over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from device_manager.adapters import archive_parquet
from device_manager.errors import StoreError
from tests.device_manager.test_archiving import ADMIN, LATER_S, Shelf
from tests.fakes.s3 import ObjectStore, object_store


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with object_store() as running:
        yield running
    archive_parquet.forget_cached()


def test_months_lie_on_the_object_store_and_read_as_before(tmp_path: Path, store: ObjectStore) -> None:
    shelf = Shelf(tmp_path, store.address("kempten/frames"))
    before = shelf.seen()
    shelf.archiving.run(LATER_S, scope=ADMIN)
    files = sorted(name for name in store.objects if not name.endswith("/"))
    assert files == ["/kempten/frames/2025-12.parquet", "/kempten/frames/2026-01.parquet"]
    assert shelf.stored() == 1
    assert shelf.seen() == before


def test_storage_that_refuses_leaves_everything_in_the_database(tmp_path: Path, store: ObjectStore) -> None:
    shelf = Shelf(tmp_path, store.address("kempten/frames"))
    store.refuse = 1
    with pytest.raises(StoreError, match="expected the archive at s3://kempten/frames.*check the archive's address"):
        shelf.archiving.run(LATER_S, scope=ADMIN)
    assert shelf.stored() == 301
    shelf.archiving.run(LATER_S, scope=ADMIN)
    assert shelf.stored() == 1
