"""Observation numbers: gap-free, in commit order, for ever; changes name what they replace; undated readings wait."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.database import ServerDatabase
from device_manager.series import Series
from device_manager.series import flags as bits
from device_manager.series.calibration import Calibration, Target
from device_manager.series.dating import BootTime, Health, Undated, boot_time
from device_manager.series.decisions import document_of
from device_manager.series.feed import Feed, Page
from device_manager.series.invalidation import Invalidation
from device_manager.series.numbering import FRAMES, ROLLUPS, RUNS
from tests.fakes.derived import SITE, Derived
from tests.fakes.speaker import START_S, Speaker

EVER = (0, 1 << 40)


@pytest.fixture
def derived(tmp_path: Path, server_or_file: ServerDatabase | None) -> Iterator[Derived]:
    derived = Derived(tmp_path, server=server_or_file)
    yield derived
    derived.close()


def numbers_of(derived: Derived, quantity: str, *, corrected: bool = False) -> list[int]:
    (reading,) = derived.archive.readings(SITE, quantity, *EVER)
    return derived.archive.numbers(reading, corrected=corrected).tolist()


def follow(derived: Derived, after: int = 0) -> list[Page]:
    return list(Feed(derived.frames, derived.series, derived.keeper.loads).pages(after))


def assert_gap_free(derived: Derived) -> None:
    following = 1
    for first, size, *_ in derived.blocks():
        assert first == following
        following += size
    assert derived.series.progress().observation == following - 1


def test_readings_are_numbered_frame_after_frame_column_after_column(derived: Derived) -> None:
    speaker = Speaker()
    derived.bench.committer.commit([speaker.channels(), speaker.frame(), speaker.frame(start_s=START_S + 180)])
    derived.keeper.advance()
    assert numbers_of(derived, "pm2_5") == [1, 2, 3, 10, 11, 12]
    assert numbers_of(derived, "footfall_in") == [7, 8, 9, 16, 17, 18]


def test_numbers_of_many_small_steps_stay_in_few_blocks(derived: Derived) -> None:
    speaker = Speaker()
    derived.bench.committer.commit([speaker.channels()])
    for i in range(30):
        derived.bench.committer.commit([speaker.frame(start_s=START_S + 60 * i, rows=[[1, 2, 3]])])
        derived.keeper.advance()
    assert_gap_free(derived)
    blocks = [block for block in derived.blocks() if block[2] == FRAMES]
    assert len(blocks) == 1 + sum(block[2] == ROLLUPS for block in derived.blocks()[:-1])
    assert numbers_of(derived, "pm2_5") == sorted(numbers_of(derived, "pm2_5"))


def test_frame_gets_its_number_when_its_channels_have_come(derived: Derived) -> None:
    speaker = Speaker()
    channels, early = speaker.channels(), speaker.frame()
    derived.bench.committer.commit([early])
    report = derived.keeper.advance()
    assert (report.numbers, report.waiting) == (0, 1)
    derived.bench.committer.commit([channels])
    report = derived.keeper.advance()
    assert (report.numbers, report.waiting) == (9, 0)
    assert numbers_of(derived, "pm2_5") == [1, 2, 3]


def test_undated_frame_gets_its_number_when_health_dates_its_boot(derived: Derived) -> None:
    speaker = Speaker()
    derived.bench.committer.commit([speaker.channels(), speaker.frame(start_s=None), speaker.frame()])
    report = derived.keeper.advance()
    assert (report.numbers, report.waiting) == (9, 1)
    said = speaker.health(700, START_S)
    derived.bench.committer.commit([said, speaker.frame(start_s=START_S + 180)])
    derived.keeper.advance()
    (reading,) = derived.archive.readings(SITE, "pm2_5", *EVER)
    assert reading.line.start_s[:3].tolist() == [START_S - 600, START_S - 540, START_S - 480]
    assert (reading.line.flags & bits.DATED > 0).tolist() == [True] * 3 + [False] * 6
    assert derived.archive.numbers(reading)[:3].tolist() == [19, 20, 21]
    plain = Series(derived.bench.reader, Cbor2Codec())
    for window in ({}, {"since_s": START_S - 600, "until_s": START_S - 540}):
        (page,) = plain.pages(**window)
        assert (START_S - 600 in page.start_s, page.undated) == (True, 0)
    assert_gap_free(derived)
    assert derived.rebuild().numbers == 0


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([Undated(100, 300, 5000, 1000, 1500)], BootTime(1000, 100)),
        ([Undated(100, 300, 5000, 1000, 9000)], None),
        ([Undated(100, 300, 1500, 1000, None)], BootTime(1000, 100)),
        ([Undated(100, 300, 5000, None, 1500)], None),
        ([Undated(100, 300, 5000, 1000, 9000), Undated(400, 300, 5000, 1000, 1800)], BootTime(1000, 100)),
    ],
)
def test_boot_is_dated_between_its_neighbours_or_not_at_all(frames: list[Undated], expected: BootTime | None) -> None:
    assert boot_time([], [], frames) == expected
    assert boot_time([Health(50, 2000)], [], frames) == BootTime(1950, 0)


def test_calibration_gives_numbers_to_corrected_readings_and_new_ones_when_it_changes(derived: Derived) -> None:
    speaker = Speaker()
    derived.bench.committer.commit([speaker.channels(), speaker.frame([[10, 1, 1], [20, 1, 1], [30, 1, 1]])])
    derived.keeper.advance()
    for gain in (2.0, 3.0):
        made = Calibration(0, Target("pm2_5", site_id=SITE), START_S + 60, None, gain=gain)
        derived.decide("calibrate", document_of(made))
    derived.keeper.advance()
    (reading,) = derived.archive.readings(SITE, "pm2_5", *EVER)
    assert (reading.line.value.tolist(), reading.corrected.tolist()) == ([1, 2, 3], [1, 6, 9])
    assert reading.calibration.tolist() == [0, 2, 2]
    runs = [block for block in derived.blocks() if block[2] == RUNS]
    assert [(size, what, cause) for _, size, _, what, cause in runs] == [(2, "corrected", "calibrate")] * 2
    assert numbers_of(derived, "pm2_5", corrected=True) == [0, runs[1][0], runs[1][0] + 1]
    derived.bench.committer.commit([speaker.frame([[40, 1, 1]], START_S + 180)])
    derived.keeper.advance()
    assert numbers_of(derived, "pm2_5", corrected=True)[3] == numbers_of(derived, "footfall_in")[3] + 1
    replaced = [(page.cause, page.replaces.tolist()) for page in follow(derived) if page.corrected.any()]
    assert ("calibrate", [runs[0][0], runs[0][0] + 1]) in replaced
    assert_gap_free(derived)
    assert derived.rebuild().numbers == 0


def test_invalidation_marks_readings_for_every_reader_and_can_be_taken_back(derived: Derived) -> None:
    speaker = Speaker()
    start_s = START_S - START_S % 900
    rows = [[10 * i, 1, i] for i in range(30)]
    derived.bench.committer.commit([speaker.channels(), speaker.frame(rows, start_s)])
    derived.bench.committer.commit([speaker.frame(rows[:1], start_s + 1800)])
    derived.keeper.advance()
    raw = numbers_of(derived, "pm2_5")
    said = Invalidation(0, SITE, None, "pm2_5", start_s, start_s + 600, "building site")
    derived.decide("invalidate", document_of(said))
    derived.keeper.advance()
    (reading,) = derived.archive.readings(SITE, "pm2_5", *EVER)
    assert (reading.line.flags & bits.INVALID > 0).tolist() == [True] * 10 + [False] * 21
    (rolled,) = derived.archive.rollups(SITE, "pm2_5", "15min", *EVER)
    assert (rolled.rows.readings.tolist(), rolled.rows.value[0]) == ([5, 15], 12.0)
    changed = numbers_of(derived, "pm2_5")
    assert (changed[10:], max(raw) < min(changed[:10])) == (raw[10:], True)
    pages = [page for page in follow(derived, max(raw)) if page.cause == "invalidate"]
    assert [page.replaces.tolist() for page in pages] == [raw[:10]]
    derived.decide("withdraw", '{"id": 1}')
    derived.keeper.advance()
    (reading,) = derived.archive.readings(SITE, "pm2_5", *EVER)
    assert not (reading.line.flags & bits.INVALID).any()
    assert derived.archive.rollups(SITE, "pm2_5", "15min", *EVER)[0].rows.readings.tolist() == [15, 15]
    assert_gap_free(derived)
    assert derived.rebuild().numbers == 0


def test_follower_gets_every_observation_once_under_its_last_number(derived: Derived) -> None:
    speaker = Speaker()
    rows = [[10 * i, 1, i] for i in range(30)]
    messages_said = [speaker.channels(), *(speaker.frame(rows, START_S + 1800 * i) for i in range(4))]
    seen: dict[int, int] = {}
    after = 0
    for number, message in enumerate(messages_said):
        derived.bench.committer.commit([message])
        if number == 3:
            said = Invalidation(0, SITE, None, None, START_S + 300, START_S + 2400, "scaffold")
            derived.decide("invalidate", document_of(said))
        derived.keeper.advance()
        for page in follow(derived, after):
            after = page.last
            for new, old in zip(page.number.tolist(), page.replaces.tolist(), strict=True):
                assert new not in seen
                seen[new] = old
    fresh = [number for page in follow(derived) for number in page.number.tolist()]
    assert fresh == sorted(fresh)
    replaced = {old for old in seen.values() if old}
    assert set(fresh) == set(seen) - replaced
    assert after == derived.series.progress().observation


def test_killed_keeper_goes_on_where_its_last_step_ended(derived: Derived) -> None:
    speaker = Speaker()
    derived.bench.committer.commit([speaker.channels(), speaker.frame()])
    with pytest.raises(RuntimeError), derived.series.begin() as step:  # noqa: PT012  # the block is what is tested
        step.put_progress(step.progress()._replace(record=2, observation=99))
        raise RuntimeError
    assert derived.keeper.advance().numbers == 9
    assert np.all(np.array(numbers_of(derived, "pm2_5")) == [1, 2, 3])
