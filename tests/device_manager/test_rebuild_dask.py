"""A rebuild on a Dask cluster gives what one process gives."""

from pathlib import Path

import pytest
from distributed import LocalCluster

from device_manager.adapters.store_rebuild import rebuild
from device_manager.errors import SetupError
from tests.benchmarks.city_store import make_store
from tests.benchmarks.rebuild_dask import _derived


def test_cluster_gives_what_one_process_gives_bit_for_bit(tmp_path: Path) -> None:
    stores = [tmp_path / name / "citynode.db" for name in ("one", "two")]
    for path in stores:
        path.parent.mkdir()
        make_store(path, 3, 2)
    rebuild(stores[0], processes=1)
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        made = rebuild(stores[1], scheduler=cluster.scheduler_address)
        again = rebuild(stores[1], scheduler=cluster.scheduler_address)
    assert (made.nodes, again.numbers) == (3, 0)
    assert _derived(stores[0]) == _derived(stores[1])


def test_cluster_that_is_not_there_is_named(tmp_path: Path) -> None:
    make_store(tmp_path / "citynode.db", 2, 1)
    with pytest.raises(SetupError, match="a Dask scheduler at tcp://127.0.0.1:9"):
        rebuild(tmp_path / "citynode.db", scheduler="tcp://127.0.0.1:9")
