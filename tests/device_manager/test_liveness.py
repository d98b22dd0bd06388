"""How a node is: online, quiet, buffering, late, lost; what is a gap; and who else speaks as a node."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_manager.backfill import BACKFILLED_AFTER_S, is_backfilled
from device_manager.ports import ChannelsStored, FramesStored, HealthSeen, LossStored, StateSeen, WatermarkMoved
from device_manager.shadow import Shadow, fold, from_document, gaps, judge, to_document
from device_manager.shadow import fold as fold_module
from device_manager.shadow.liveness import BUFFERING, LATE, LOST, NEVER, ONLINE, QUIET, Expected, expected
from firmware.link.delivery import NOT_HELD

START_S = 1_770_000_000
DAY_S = 86_400
RHYTHM = Expected()


class Life:
    """A node's life as the manager sees it: each step happens `after_s` later."""

    def __init__(self) -> None:
        self.shadow = Shadow("kempten-01")
        self.now_s = START_S
        self.head = 0

    def wait(self, seconds: int) -> "Life":
        self.now_s += seconds
        return self

    def tell(self, *events: object) -> "Life":
        for event in events:
            self.shadow = fold(self.shadow, event)  # type: ignore[arg-type]
        return self

    @property
    def now_ms(self) -> int:
        return self.now_s * 1000

    def connect(self, log: int = 7, boot: int = 5, head: int | None = None, tail: int = 0) -> "Life":
        fields = {"online": True, "boot": boot, "log": log, "head": self.head if head is None else head, "tail": tail}
        return self.tell(StateSeen(self.now_ms, False, {**fields, "time": self.now_s, "firmware": "1.0"}))

    def will(self) -> "Life":
        return self.tell(StateSeen(self.now_ms, False, {"online": False, "boot": 5}))

    def frame(self, end_s: int | None = None, span_s: int = 300) -> "Life":
        self.head += 1
        return self.tell(
            WatermarkMoved(7, self.head, self.head, (), self.now_ms),
            FramesStored(self.now_ms, 1, 10, 20, end_s or self.now_s, 0, span_s),
        )

    def health(self) -> "Life":
        return self.tell(HealthSeen(self.now_ms, {}))

    def state(self) -> str:
        alive = judge(self.shadow, self.now_ms)
        assert alive.reason
        return alive.state


def test_connected_node_is_online_then_quiet_then_late_then_lost() -> None:
    life = Life()
    assert life.state() == NEVER
    life.connect().frame()
    states = [(life.state(), life.wait(seconds).state()) for seconds in (30, 200, 300, DAY_S)]
    assert [after for _, after in states] == [ONLINE, QUIET, LATE, LOST]


def test_node_whose_will_came_is_buffering_until_it_may_no_longer_be_away() -> None:
    life = Life().connect().frame().wait(100).will()
    assert life.state() == BUFFERING
    assert life.wait(DAY_S - 200).state() == BUFFERING
    assert life.wait(300).state() == LOST


def test_node_with_a_backlog_is_buffering_and_online_when_all_has_come() -> None:
    life = Life().connect(head=500)
    life.tell(WatermarkMoved(7, 100, 100, (), life.now_ms))
    assert judge(life.shadow, life.now_ms) == (BUFFERING, "catching up: 400 records to come")
    assert life.tell(WatermarkMoved(7, 500, 500, (), life.now_ms)).state() == ONLINE


def test_node_that_reports_health_but_no_frames_is_late() -> None:
    life = Life().connect().frame()
    for _ in range(4):
        life.wait(300).health()
    alive = judge(life.shadow, life.now_ms)
    assert (alive.state, alive.reason) == (LATE, "connected, but no frame for 20 min; see its last health")


def test_slow_node_is_judged_by_its_own_rhythm() -> None:
    life = Life().connect().tell(ChannelsStored(START_S * 1000, 7, 0, "1.0", 600)).frame(span_s=3600)
    assert expected(life.shadow) == Expected(600, 3600)
    assert life.wait(3000).state() == QUIET
    assert life.wait(3000).state() == LATE


def test_fast_node_is_late_sooner() -> None:
    life = Life().connect().tell(ChannelsStored(START_S * 1000, 7, 0, "1.0", 2)).frame(span_s=10)
    assert life.wait(70).state() == LATE


def test_hole_is_a_gap_when_nobody_fills_it_and_none_when_it_is_filled_late() -> None:
    life = Life().connect()
    life.tell(WatermarkMoved(7, 3, 9, ((3, 4), (7, 7)), life.now_ms))
    assert gaps(life.shadow, life.now_ms) == []
    life.wait(2 * RHYTHM.due_s)
    assert [gap[1:3] for gap in gaps(life.shadow, life.now_ms)] == [(3, 4), (7, 7)]
    life.tell(WatermarkMoved(7, 4, 9, ((4, 4), (7, 7)), life.now_ms))
    assert [gap[1:3] for gap in gaps(life.shadow, life.now_ms)] == [(4, 4), (7, 7)]
    life.tell(WatermarkMoved(7, 9, 9, (), life.now_ms))
    assert gaps(life.shadow, life.now_ms) == []


def test_hole_of_a_former_log_stays_a_gap() -> None:
    life = Life().connect()
    life.tell(WatermarkMoved(7, 3, 9, ((3, 4),), life.now_ms))
    life.wait(10).connect(log=8, boot=6).tell(WatermarkMoved(8, 0, 0, (), life.now_ms)).wait(DAY_S)
    assert [gap[:3] for gap in gaps(life.shadow, life.now_ms)] == [(7, 3, 4)]


def test_second_log_is_an_alert_and_one_that_comes_back_is_a_clone() -> None:
    life = Life().connect(log=7, boot=1).wait(10).connect(log=7, boot=2)
    assert life.shadow.alerts == []
    life.wait(10).connect(log=8, boot=3)
    assert [alert["kind"] for alert in life.shadow.alerts] == ["new log"]
    life.wait(10).connect(log=7, boot=4)
    assert [alert["kind"] for alert in life.shadow.alerts] == ["new log", "clone"]
    life.wait(10).connect(log=8, boot=3)
    assert [(alert["kind"], alert["count"]) for alert in life.shadow.alerts] == [("new log", 1), ("clone", 2)]


def test_copy_of_a_flash_is_found_by_its_boots() -> None:
    life = Life().connect(boot=1).wait(10).connect(boot=2).wait(10).connect(boot=1)
    assert [alert["kind"] for alert in life.shadow.alerts] == ["clone"]


def test_state_that_the_broker_delivers_twice_is_no_clone() -> None:
    life = Life()
    fields = {"online": True, "log": 7, "head": 0, "tail": 0, "firmware": "1.0"}
    states = [
        StateSeen(life.now_ms + i, False, {**fields, "boot": i, "log": 7 + i // 3, "time": START_S + i})
        for i in range(6)
    ]
    once = Life().tell(*states).shadow
    twice = Life().tell(*states, *states).shadow
    assert [alert["kind"] for alert in twice.alerts] == ["new log"]
    assert twice == once


def test_numbers_that_a_node_let_go_on_our_word_and_we_lack_are_lost_by_a_restore() -> None:
    life = Life().connect(head=900, tail=400)
    life.tell(WatermarkMoved(7, 100, 100, (), life.now_ms))
    assert life.shadow.not_held == (100, 399)
    life.tell(LossStored(life.now_ms, 300, NOT_HELD, 7, 100, 399), WatermarkMoved(7, 901, 901, (), life.now_ms))
    assert (life.shadow.lost, life.shadow.lost_by_restore, life.shadow.not_held) == (300, 300, None)
    assert [alert["kind"] for alert in life.shadow.alerts] == ["restore"]


def test_loss_of_a_full_outbox_is_no_restore() -> None:
    shadow = Life().connect().tell(LossStored(START_S * 1000, 5, "outbox full", 7, 0, 4)).shadow
    assert (shadow.lost, shadow.lost_by_restore, shadow.alerts) == (5, 0, [])


def test_words_of_the_node_are_those_that_the_manager_knows() -> None:
    assert fold_module.__globals__["NOT_HELD"] == NOT_HELD


def test_record_that_waited_is_backfilled() -> None:
    assert not is_backfilled((START_S + BACKFILLED_AFTER_S) * 1000, START_S)
    assert is_backfilled((START_S + BACKFILLED_AFTER_S) * 1000 + 1, START_S)
    assert not is_backfilled(START_S * 1000, None)


# On a loaded machine the drawing of long lives takes its time; that is no fault of what is tested.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
RANK = {NEVER: 0, ONLINE: 0, QUIET: 1, BUFFERING: 1, LATE: 2, LOST: 3}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 2000)),
        st.tuples(st.just("wait"), st.integers(1, 2 * DAY_S)),
        st.tuples(st.sampled_from(["connect", "will", "frame", "health"])),
        st.tuples(st.just("late frame"), st.integers(0, 30 * DAY_S)),
        st.tuples(st.just("want"), st.integers(0, 9)),
    ),
    max_size=30,
)


def live(steps: list[tuple[object, ...]]) -> Life:
    life = Life()
    for what, *arguments in steps:
        number = int(str(arguments[0])) if arguments else 0
        if what == "wait":
            life.wait(number)
        elif what == "late frame":
            life.frame(end_s=life.now_s - number)
        elif what == "want":
            life.head += number
            want = ((life.head - number, life.head - 1),) if number else ()
            life.tell(WatermarkMoved(7, life.head - number, life.head, want, life.now_ms))
        else:
            getattr(life, str(what))()
    return life


@patient
@given(STEPS, st.lists(st.integers(1, 2 * DAY_S), max_size=8))
def test_time_alone_only_makes_it_worse(steps: list[tuple[object, ...]], waits: list[int]) -> None:
    life = live(steps)
    ranks = [RANK[life.state()]] + [RANK[life.wait(seconds).state()] for seconds in waits]
    assert ranks == sorted(ranks)


@patient
@given(STEPS)
def test_disconnected_node_is_never_late(steps: list[tuple[object, ...]]) -> None:
    life = live(steps).will()
    assert life.state() in (NEVER, BUFFERING, LOST)


@patient
@given(STEPS)
def test_node_that_connects_and_delivers_all_is_online_whatever_was_before(steps: list[tuple[object, ...]]) -> None:
    assert live(steps).connect().frame().state() == ONLINE


@patient
@given(STEPS, st.integers(0, 30 * DAY_S))
def test_late_data_makes_nothing_worse(steps: list[tuple[object, ...]], age_s: int) -> None:
    life = live(steps)
    before, missing = RANK[life.state()], len(gaps(life.shadow, life.now_ms))
    life.frame(end_s=life.now_s - age_s)
    assert RANK[life.state()] <= max(before, RANK[BUFFERING])
    assert len(gaps(life.shadow, life.now_ms)) <= missing


@patient
@given(STEPS)
def test_shadow_of_any_life_survives_its_document(steps: list[tuple[object, ...]]) -> None:
    shadow = live(steps).shadow
    assert from_document(to_document(shadow)) == shadow
