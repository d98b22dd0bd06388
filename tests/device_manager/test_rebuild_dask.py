"""A rebuild on a Dask cluster gives what one process gives."""

import time
from pathlib import Path

import pytest
from distributed import LocalCluster

from device_manager.adapters.store_rebuild import rebuild
from device_manager.errors import SetupError
from device_manager.series.calendar import QUARTER_S
from device_manager.series.keeping import Keeper, Report
from tests.benchmarks.city_store import make_store
from tests.benchmarks.rebuild_dask import _derived
from tests.fakes.derived import Derived
from tests.fakes.speaker import START_S, Speaker


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


def test_dates_found_while_a_cluster_rolls_up_are_rolled_up_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    derived, speaker = Derived(tmp_path), Speaker()
    derived.bench.committer.commit([speaker.channels(), speaker.frame(start_s=None)])
    assert derived.keeper.advance().waiting == 1
    news = [speaker.health(700, START_S), speaker.frame(), speaker.frame(start_s=START_S + 7200)]
    derived.bench.committer.commit(news)
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        advance = Keeper.advance

        def late(keeper: Keeper, *, roll_up: bool) -> Report:
            while [task.state for task in cluster.scheduler.tasks.values()] != ["memory"]:
                time.sleep(0.01)  # the node is rolled up before it is dated
            return advance(keeper, roll_up=roll_up)

        monkeypatch.setattr(Keeper, "advance", late)
        rebuild(derived.bench.path, scheduler=cluster.scheduler_address)
    monkeypatch.undo()
    assert (START_S - 600) // QUARTER_S * QUARTER_S in {start_s for _, _, _, start_s, _ in derived.rollups()}
    assert derived.rebuild().numbers == 0
    derived.close()


def test_cluster_that_is_not_there_is_named(tmp_path: Path) -> None:
    make_store(tmp_path / "citynode.db", 2, 1)
    with pytest.raises(SetupError, match="a Dask scheduler at tcp://127.0.0.1:9"):
        rebuild(tmp_path / "citynode.db", scheduler="tcp://127.0.0.1:9")
