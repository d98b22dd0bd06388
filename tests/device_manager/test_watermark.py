"""The committed set of a log, against a plain set of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from device_manager.ingest.watermark import MAX_AHEAD, MAX_WANT, LogState

NUMBERS = st.integers(0, 40)
RANGES = st.lists(st.tuples(NUMBERS, NUMBERS).map(lambda pair: (min(pair), max(pair))), max_size=30)


def committed(ranges: list[tuple[int, int]]) -> set[int]:
    return {seq for first, last in ranges for seq in range(first, last + 1)}


@given(RANGES)
def test_ranges_in_any_order_are_the_set_of_their_numbers(ranges: list[tuple[int, int]]) -> None:
    state, model = LogState(), set[int]()
    for first, last in ranges:
        new = set(range(first, last + 1)) - model
        assert state.commit_range(first, last) == len(new)
        model |= new
        assert {seq for seq in range(60) if seq in state} == model
        assert state.next == min(set(range(60)) - model)
        assert state.above == (max(model) + 1 if model else 0)


@given(RANGES)
def test_want_is_every_hole_below_the_highest(ranges: list[tuple[int, int]]) -> None:
    state = LogState()
    for first, last in ranges:
        state.commit_range(first, last)
    assert committed(list(state.want())) == set(range(state.above)) - committed(ranges)


@given(RANGES)
def test_state_is_small_sorted_and_survives_storage(ranges: list[tuple[int, int]]) -> None:
    state = LogState()
    for first, last in ranges:
        state.commit_range(first, last)
    edges = [edge for pair in state.ahead for edge in pair]
    assert edges == sorted(edges)
    assert all(later - earlier > 1 for (_, earlier), (later, _) in zip(state.ahead, state.ahead[1:], strict=False))
    again = LogState(state.next, state.ahead)
    assert (again.next, again.ahead, again.want()) == (state.next, state.ahead, state.want())


def test_number_committed_twice_is_new_only_once() -> None:
    state = LogState()
    assert [state.commit(seq) for seq in (0, 0, 2, 2, 1, 1)] == [True, False, True, False, True, False]
    assert (state.next, state.ahead) == (3, ())


def test_copy_does_not_follow_its_original() -> None:
    state = LogState()
    state.commit(3)
    copy = state.copy()
    state.commit(0)
    assert (copy.next, copy.ahead) == (0, ((3, 3),))


def test_want_with_many_holes_names_the_lowest() -> None:
    state = LogState()
    for seq in range(1, 200, 2):
        state.commit(seq)
    assert state.want() == tuple((seq, seq) for seq in range(0, 2 * MAX_WANT, 2))


def test_too_many_ranges_refuse_another_one_but_not_the_next_number() -> None:
    state = LogState()
    for i in range(MAX_AHEAD):
        assert state.fits(2 * i + 1)
        state.commit(2 * i + 1)
    assert not state.fits(5000)
    assert state.fits(0)
    assert state.fits(1)


def test_highest_number_of_a_log_leaves_one_hole() -> None:
    state = LogState()
    state.commit(2**32 - 1)
    assert state.want() == ((0, 2**32 - 2),)
