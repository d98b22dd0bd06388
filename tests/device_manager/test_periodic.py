"""The manager's services: steps come again however they end, what is wrong is said once, and the end comes at once."""

from __future__ import annotations

import threading

import pytest

from device_manager.errors import StoreError
from device_manager.periodic import Periodic, Step
from tests.waiting import wait_for

FULL = StoreError(expected="room", got="none", todo="free some space")
BUSY = StoreError(expected="the database", got="somebody else", todo="end the other program")


class Clock:
    """Seconds that pass by hand."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def failing(*ends: Exception | None) -> Step:
    """A step of one second that ends so, turn by turn."""
    left = iter(ends)

    def run() -> None:
        error = next(left)
        if error:
            raise error

    return Step(run, 1.0, 0.0, "readings wait")


def turns(service: Periodic, clock: Clock, count: int) -> None:
    for _ in range(count):
        service.turn()
        clock.now_s += 1


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_steps_are_due_each_in_their_own_time_after_their_last_end(clock: Clock) -> None:
    done: list[str] = []

    def slow() -> None:
        done.append("slow")
        clock.now_s += 5

    service = Periodic("x", Step(lambda: done.append("quick"), 1.0), Step(slow, 60.0, first_s=2.0), clock_s=clock)
    assert (service.turn(), done) == (1.0, [])
    clock.now_s += 2
    assert (service.turn(), done) == (0.0, ["quick", "slow"])  # it took five seconds, and the quick one is due again
    assert service.turn() == 1.0
    clock.now_s += 59
    service.turn()
    assert done == ["quick", "slow", "quick", "quick"]
    clock.now_s += 1
    service.turn()
    assert done[-1] == "slow"


def test_step_that_fails_is_said_once_and_again_when_it_is_something_else_or_over(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    turns(Periodic("series", failing(FULL, FULL, BUSY, None, None, FULL), clock_s=clock), clock, 6)
    full = "series: expected room, got none; free some space; readings wait"
    busy = "series: expected the database, got somebody else; end the other program; readings wait"
    assert said(caplog) == [full, busy, "series: works again", full]


def test_mistake_of_ours_is_logged_with_its_traceback_and_the_other_steps_go_on(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    others: list[int] = []
    broken, other = failing(KeyError("node"), KeyError("node"), None), Step(lambda: others.append(1), 1.0, 0.0)
    turns(Periodic("upkeep", broken, other, clock_s=clock), clock, 3)
    assert said(caplog) == ["upkeep: KeyError: 'node'; readings wait", "upkeep: works again"]
    assert caplog.records[0].exc_info and caplog.records[0].exc_info[0] is KeyError
    assert others == [1, 1, 1]


def test_wake_does_at_once_what_asks_for_it_and_nothing_else() -> None:
    woken, rested = threading.Event(), threading.Event()
    service = Periodic("x", Step(woken.set, 3600.0, by_wake=True), Step(rested.set, 3600.0))
    service.start()
    service.wake()
    assert woken.wait(90)
    service.stop()
    assert not rested.is_set()


def test_stop_comes_between_two_steps_and_does_not_wait_for_the_next_turn() -> None:
    began, ended = threading.Event(), threading.Event()
    after: list[int] = []

    def first() -> None:
        began.set()
        wait_for(service.ending)
        ended.set()

    service = Periodic("x", Step(first, 3600.0, 0.0), Step(lambda: after.append(1), 3600.0, 0.0))
    service.start()
    assert began.wait(90)
    service.stop()
    assert ended.is_set() and not after


def test_stop_of_one_that_was_never_started_returns() -> None:
    Periodic("x", Step(lambda: None, 1.0)).stop()


def test_thread_survives_whatever_a_step_raises() -> None:
    taken: list[int] = []

    def run() -> None:
        taken.append(1)
        raise (ValueError("ours"), FULL)[len(taken) % 2]

    service = Periodic("x", Step(run, 0.0, 0.0))
    service.start()
    wait_for(lambda: len(taken) > 3)
    service.stop()
