"""The fold of what happened to what is known."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_manager.ingest.telling import _sum
from device_manager.ports import (
    ChannelsStored,
    FramesStored,
    HealthSeen,
    LossStored,
    Rejected,
    ShadowEvent,
    StateSeen,
    UpdateSeen,
    WatermarkMoved,
)
from device_manager.shadow import JsonFold, Shadow, fold, from_document, to_document

NEW = Shadow("kempten-01")
STATE = {"online": True, "boot": 5, "log": 7, "head": 10, "tail": 2, "time": None, "firmware": "1.0"}


def after(*events: ShadowEvent, shadow: Shadow = NEW) -> Shadow:
    for event in events:
        shadow = fold(shadow, event)
    return shadow


def state(received_ms: int = 1000, *, retained: bool = False, **changes: object) -> StateSeen:
    return StateSeen(received_ms, retained, {**STATE, **changes})


def test_state_says_what_the_node_holds_and_the_watermark_what_we_have() -> None:
    shadow = after(state(), WatermarkMoved(7, 4, 4))
    assert (shadow.online, shadow.boot, shadow.firmware, shadow.buffered) == (True, 5, "1.0", 6)


def test_records_below_the_tail_are_not_buffered() -> None:
    assert after(state(tail=8), WatermarkMoved(7, 4, 4)).buffered == 2


def test_buffered_is_unknown_before_both_sides_are_known() -> None:
    assert (NEW.buffered, after(state()).buffered) == (None, None)


def test_committed_records_raise_the_head_and_holes_are_what_is_buffered() -> None:
    shadow = after(state(), WatermarkMoved(7, 10, 15, ((10, 11), (13, 13))))
    assert (shadow.head, shadow.buffered) == (15, 3)


def test_new_log_after_a_reflash_forgets_the_old_one() -> None:
    shadow = after(state(), WatermarkMoved(7, 4, 4), state(log=8, head=0, tail=0), WatermarkMoved(7, 9, 9))
    assert (shadow.log, shadow.head, shadow.next, shadow.buffered) == (8, 0, None, None)
    assert after(WatermarkMoved(8, 0, 0), shadow=shadow).buffered == 0


def test_last_will_is_no_sign_of_life() -> None:
    will = StateSeen(9000, False, {"online": False, "boot": 5})
    shadow = after(state(1000), will)
    assert (shadow.online, shadow.last_seen_ms, shadow.log) == (False, 1000, 7)


def test_retained_state_is_no_sign_of_life() -> None:
    assert after(state(9000, retained=True)).last_seen_ms is None


def test_late_message_does_not_turn_the_clock_back() -> None:
    assert after(Rejected(5000, "too large"), Rejected(4000, "too large")).last_seen_ms == 5000


def test_frames_losses_rejects_and_health_are_counted() -> None:
    shadow = after(
        FramesStored(1, 2, 300, 400, 60, 0),
        LossStored(2, 5, "outbox full"),
        FramesStored(3, 1, 100, 160, 30, 1),
        Rejected(4, "not CBOR"),
        HealthSeen(5, {"heap_free": 1000}),
    )
    assert (shadow.frames, shadow.values, shadow.payload_bytes, shadow.last_frame_end_s) == (3, 400, 560, 60)
    assert (shadow.lost, shadow.last_loss, shadow.rejected) == (4, "outbox full", 1)
    assert (shadow.health, shadow.bytes_per_value) == ({"heap_free": 1000}, 1.4)


def test_channels_of_an_older_epoch_do_not_come_back() -> None:
    shadow = after(state(), ChannelsStored(1, 7, 20, "2.0"), ChannelsStored(2, 7, 3, "1.0"))
    assert (shadow.epoch, shadow.firmware) == (20, "2.0")


FRAMES = st.builds(
    FramesStored,
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 9),
    st.none() | st.integers(0, 9),
    st.integers(0, 9),
)


@given(st.lists(FRAMES, min_size=1))
def test_fold_of_a_sum_is_the_fold_of_its_parts(parts: list[FramesStored]) -> None:
    total = parts[0]
    for part in parts[1:]:
        total = _sum(total, part)
    assert after(total) == after(*parts) == after(*reversed(parts))


@pytest.mark.parametrize("shadow", [NEW, after(state(), Rejected(1, "x"), HealthSeen(2, {"faults": [["air", 2]]}))])
def test_document_gives_the_shadow_back(shadow: Shadow) -> None:
    assert from_document(to_document(shadow)) == shadow


def test_document_of_another_citynode_reads() -> None:
    document = json.dumps({"node": "kempten-01", "frames": 3, "colour": "green"})
    assert from_document(document) == Shadow("kempten-01", frames=3)


def test_fold_of_documents_starts_from_nothing() -> None:
    events = [Rejected(1, "x")]
    document = JsonFold().fold(None, "kempten-01", events)
    assert from_document(JsonFold().fold(document, "kempten-01", events)).rejects == {"x": 2}


def report(received_ms: int, state: str, number: int = 7, **fields: object) -> UpdateSeen:
    return UpdateSeen(received_ms, {"state": state, "number": number, **fields})


def test_report_of_an_update_dates_its_state_from_the_first_that_says_so() -> None:
    shadow = after(report(10, "downloading"), report(20, "downloading", bytes=4096, total=9000))
    assert shadow.update == {
        "state": "downloading",
        "number": 7,
        "reason": "",
        "since_ms": 10,
        "bytes": 4096,
        "total": 9000,
        "attempt": 0,
    }
    assert after(report(30, "confirming"), shadow=shadow).update["since_ms"] == 30
    assert after(report(30, "downloading", attempt=1), shadow=shadow).update["since_ms"] == 30


def test_report_of_a_later_contract_has_no_state() -> None:
    assert after(report(10, "celebrating")).update["state"] is None


def test_fold_that_fails_in_the_middle_is_as_if_it_had_not_begun() -> None:
    shadows, frames = JsonFold(), FramesStored(1000, 1, 150, 190, 900, 0)
    document = shadows.fold(None, "kempten-01", [frames])
    with pytest.raises(KeyError):
        shadows.fold(document, "kempten-01", [frames, StateSeen(2000, False, {})])
    assert from_document(shadows.fold(document, "kempten-01", [frames])).frames == 2


def test_running_release_is_what_the_node_says_and_unknown_when_it_says_nothing() -> None:
    shadow = after(state(), StateSeen(5, False, {"online": True, "boot": 5, "log": 7, "release": 12, "family": "x64"}))
    assert (shadow.release, shadow.family) == (12, "x64")
    assert after(report(9, "succeeded", 13), shadow=shadow).release == 12
    assert after(state(6), shadow=shadow).release is None


def test_starts_are_counted_by_cause_and_a_wanted_one_is_no_crash() -> None:
    told = ("", "ordered: release 2 is tried", "ValueError: no | app.py:7 run", "watchdog: no sign of life from link")
    boots = ({"boot": n, "reset_cause": "hard reset", "last_crash": crash} for n, crash in enumerate(told, 2))
    shadow = after(*(HealthSeen(n, fields) for n, fields in enumerate(({"boot": 1}, *boots))))
    assert shadow.resets == {"hard reset": 1, "ordered": 1, "crash": 2}
