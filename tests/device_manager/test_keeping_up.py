"""The manager's thread that keeps series up to date ends when it is asked, however much is waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

from device_manager.keeping_up import KeepingUp
from device_manager.series.keeping import Keeper
from tests.fakes.derived import Derived
from tests.fakes.speaker import Speaker


class Endless:
    """A keeper with a step to do whenever one is over."""

    def __init__(self) -> None:
        self.began = threading.Event()

    def advance(self, *, ended: Callable[[], bool]) -> None:
        self.began.set()
        while not ended():
            pass


def test_thread_ends_after_the_step_that_runs_though_more_is_waiting() -> None:
    keeper = Endless()
    thread = KeepingUp(cast(Keeper, keeper), every_s=0)
    thread.start()
    assert keeper.began.wait(90)
    thread.stop()


def test_keeper_that_was_ended_goes_on_where_it_was(tmp_path: Path) -> None:
    derived, speaker = Derived(tmp_path), Speaker()
    derived.bench.committer.commit([speaker.channels(), *(speaker.frame() for _ in range(3))])
    assert derived.keeper.advance(ended=lambda: True).records == 0
    assert derived.keeper.advance().records == 4
