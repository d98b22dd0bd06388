"""From seconds to batches on real MicroPython: alignment, gaps, undated records, failing sensors, memory."""

from pathlib import Path

FAKES = Path(__file__).parent.parent / "fakes"
PRELUDE = """
import asyncio, gc
from node_parts import ListDriver, SetClock
from firmware.sensing.drivers import SensorError
from firmware.sensing.record import Record
from firmware.sensing.sampler import Sampler
from firmware.sensing.sensor import Sensor
from firmware.wire import quality
from firmware.wire.frame import Batch, MAX_BYTES, decode

MINUTE = 1767225600 + 600  # a multiple of 60 above the clock's floor
buf = bytearray(MAX_BYTES)
errors = []

class Rig:
    def __init__(self, drivers, clock, record_s=60, capacity=5):
        self.clock = clock
        self.frames = []
        self.sensors = []
        inputs = 0
        for i, driver in enumerate(drivers):
            self.sensors.append(Sensor("s%d" % i, driver, inputs, errors.append))
            inputs += len(driver.inputs)
        record = Record(self.sensors)
        self.batch = Batch(len(record.names), capacity)
        self.sampler = Sampler(self.sensors, record, clock, self.batch, record_s, 77, self.keep)

    def keep(self, batch):
        self.frames.append(decode(bytes(buf[: batch.encode_into(buf, 7, len(self.frames), 0)])))

    def run(self, seconds):
        async def go():
            for _ in range(seconds):
                self.clock.advance()
                await self.sampler.tick()
        asyncio.run(go())

def steady(*values):
    return ListDriver(("temperature",), (("temperature", 0),), [[v] for v in values or (200,)])

def brief(frame):
    return frame.t0, frame.count, frame.values
"""


def passes(micropython, body: str) -> None:
    done = micropython(PRELUDE + body, path=[FAKES])
    assert done.returncode == 0, done.stdout + done.stderr


def test_records_begin_at_multiples_of_their_length(micropython):
    passes(micropython, """
rig = Rig([steady(200, 201, 202, 203, 204, 205)], SetClock(MINUTE))
rig.run(300)
assert [brief(f) for f in rig.frames] == [(MINUTE, 5, [203] * 5)], rig.frames
""")  # fmt: skip


def test_first_record_with_less_than_half_left_is_skipped(micropython):
    passes(micropython, """
late, early = Rig([steady()], SetClock(MINUTE + 31)), Rig([steady()], SetClock(MINUTE + 29))
late.run(29 + 300); early.run(31 + 240)
assert brief(late.frames[0]) == (MINUTE + 60, 5, [200] * 5), late.frames
assert brief(early.frames[0]) == (MINUTE, 5, [200] * 5), early.frames
""")  # fmt: skip


def test_frame_closes_when_the_batch_is_full(micropython):
    passes(micropython, """
rig = Rig([steady()], SetClock(MINUTE), capacity=3)
rig.run(600)
assert [(f.t0 - MINUTE, f.count) for f in rig.frames] == [(0, 3), (180, 3), (360, 3)], rig.frames
""")  # fmt: skip


def test_gap_closes_the_frame_and_the_next_begins_on_the_clock(micropython):
    passes(micropython, """
rig = Rig([steady()], SetClock(MINUTE))
rig.run(120)
rig.clock.advance(1000)
rig.run(400)
assert brief(rig.frames[0]) == (MINUTE, 2, [200, 200]), rig.frames[0]
assert rig.frames[1].t0 == MINUTE + 1140, rig.frames[1]  # 1120 lies in the minute of 1080, 20 s of which are left
""")  # fmt: skip


def test_short_stall_keeps_the_record(micropython):
    passes(micropython, """
rig = Rig([steady()], SetClock(MINUTE))
rig.run(70); rig.clock.advance(20); rig.run(210)
assert brief(rig.frames[0]) == (MINUTE, 5, [200] * 5), rig.frames
""")  # fmt: skip


def test_clock_put_back_closes_the_frame(micropython):
    passes(micropython, """
rig = Rig([steady()], SetClock(MINUTE + 3600))
rig.run(120)
rig.clock.unix -= 3600
rig.run(300)
assert [f.t0 for f in rig.frames] == [MINUTE + 3600, MINUTE + 120], rig.frames
""")  # fmt: skip


def test_clock_put_back_a_little_counts_no_second_twice(micropython):
    passes(micropython, """
rig = Rig([ListDriver(("footfall_in",), (("footfall_in", 0),), [[i] for i in range(400)])], SetClock(MINUTE))
rig.run(125)
rig.clock.unix -= 10
rig.run(185)
assert [f.t0 for f in rig.frames] == [MINUTE] and rig.frames[0].count == 5, rig.frames
""")  # fmt: skip


def test_unsynchronised_records_carry_boot_and_uptime(micropython):
    passes(micropython, """
rig = Rig([steady()], SetClock(None))
rig.run(300)
frame = rig.frames[0]
assert (frame.t0, frame.boot, frame.uptime_s, frame.count) == (None, 77, 0, 5), frame
""")  # fmt: skip


def test_clock_that_becomes_synchronised_closes_the_undated_frame(micropython):
    passes(micropython, """
rig = Rig([steady()], SetClock(None))
rig.run(120)
rig.clock.unix = MINUTE + 5
rig.run(295)
assert [(f.t0, f.count) for f in rig.frames] == [(None, 2), (MINUTE, 5)], rig.frames
""")  # fmt: skip


def test_failing_sensor_is_flagged_counted_and_stops_no_other(micropython):
    passes(micropython, """
broken = ListDriver(("pm1",), (("pm1", 0),), [OSError(19)])
rig = Rig([broken, steady(), ListDriver(("pm4",), (("pm4", 0),), [SensorError("word 1")])], SetClock(MINUTE))
rig.run(300)
frame = rig.frames[0]
assert frame.values == [None] * 5 + [200] * 5 + [None] * 5, frame
assert frame.runs == [[0, 0, 5, quality.FAULT], [2, 0, 5, quality.FAULT]], frame.runs
assert rig.sensors[0].faults == broken.starts and rig.sensors[1].faults == 0
assert "s0: [Errno 19] ENODEV" in errors and "s2: word 1" in errors, errors
""")  # fmt: skip


def test_failing_sensor_is_tried_again_with_growing_distance(micropython):
    passes(micropython, """
broken = ListDriver(("pm1",), (("pm1", 0),), [OSError(110)])
rig = Rig([broken], SetClock(MINUTE))
starts = []
for second in range(400):
    rig.run(1)
    if len(starts) < broken.starts: starts.append(second)
assert starts == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363], starts
""")  # fmt: skip


def test_sensor_that_comes_back_is_started_again_and_counts_as_well(micropython):
    passes(micropython, """
driver = ListDriver(("pm1",), (("pm1", 0),), [[7]] * 5 + [OSError(19)] + [[7]] * 1000)
rig = Rig([driver], SetClock(MINUTE), capacity=1)
rig.run(60)
assert brief(rig.frames[0]) == (MINUTE, 1, [7]) and driver.starts == 2, (rig.frames, driver.starts)
""")  # fmt: skip


def test_bug_in_a_driver_is_noted_and_stops_no_other(micropython):
    passes(micropython, """
rig = Rig([ListDriver(("pm1",), (("pm1", 0),), [ZeroDivisionError("x")]), steady()], SetClock(MINUTE))
rig.run(300)
assert rig.frames[0].values[5:] == [200] * 5 and errors[0] == "s0: bug: ZeroDivisionError x", errors
""")  # fmt: skip


def test_channel_with_less_than_half_of_its_seconds_is_missing(micropython):
    passes(micropython, """
rows = [[None, 5]] * 31 + [[10, 5]] * 29 + [[None, 5]] * 30 + [[10, 5]] * 30
driver = ListDriver(("pm1", "footfall_in"), (("pm1", 0), ("footfall_in", 1)), rows)
rig = Rig([driver], SetClock(MINUTE), capacity=2)
rig.run(120)
assert rig.frames[0].values == [None, 10, 5, 5], rig.frames[0]
""")  # fmt: skip


def test_record_kinds_mean_extreme_total_level(micropython):
    passes(micropython, """
names = ("pm1", "lafmax", "lafmin", "footfall_in", "laeq")
channels = tuple((name, i) for i, name in enumerate(names)) + (("la10", 4), ("la90", 4))
driver = ListDriver(names, channels, [[10, 600, 300, 5, 500], [21, 700, 200, 9, 600]])
rig = Rig([driver], SetClock(MINUTE), capacity=1)
rig.run(60)
assert rig.frames[0].values == [16, 700, 200, 9, 574, 600, 500], rig.frames[0].values
""")  # fmt: skip


def test_sampling_for_hours_holds_no_more_memory(micropython):
    passes(micropython, """
driver = ListDriver(("laeq",), (("laeq", 0), ("la10", 0), ("la50", 0)), [[400], [500], [600]])
rig = Rig([driver, ListDriver(("pm1",), (("pm1", 0),), [OSError(19)])], SetClock(MINUTE))
rig.sampler._on_batch = lambda batch: batch.encode_into(buf, 7, 1, 0)
rig.run(600); errors.clear(); gc.collect(); before = gc.mem_alloc()
rig.run(7200); errors.clear(); gc.collect()
assert gc.mem_alloc() - before < 1024, gc.mem_alloc() - before
""")  # fmt: skip


def test_extremes_that_are_asked_for_stand_behind_the_drivers_channels(micropython):
    passes(micropython, """
driver = ListDriver(("pm10", "temperature"), (("pm10", 0), ("temperature", 1)), [[10, 200], [30, -50]])
sensor = Sensor("a", driver, 0, errors.append, ("pm10_max", "temperature_min"))
record = Record([sensor])
assert record.names == [("pm10", "a"), ("temperature", "a"), ("pm10_max", "a"), ("temperature_min", "a")]
for values in driver.rows: record.add(values, [0, 0])
record.close(2)
assert record.values == [20, 75, 30, -50], record.values
for wrong in ("pm1_max", "pm10_mean", "lafmax", "pm10"):
    try:
        Sensor("a", driver, 0, errors.append, (wrong,))
        raise AssertionError(wrong)
    except ValueError as error:
        assert "expected extremes of pm10, temperature" in str(error), error
""")  # fmt: skip


def test_reading_that_the_quantity_cannot_have_is_missing_and_flagged(micropython):
    passes(micropython, """
rig = Rig([steady(901), steady(-601), steady(900)], SetClock(MINUTE), capacity=1)
rig.run(60)
assert rig.frames[0].values == [None, None, 900], rig.frames[0]
assert rig.frames[0].runs == [[0, 0, 1, quality.OUT_OF_RANGE], [1, 0, 1, quality.OUT_OF_RANGE]], rig.frames[0].runs
""")  # fmt: skip


def test_slow_sensor_needs_half_of_its_own_readings(micropython):
    passes(micropython, """
def slow(present):
    rows = [[i // 5] if i % 5 == 0 and i < present else [None] for i in range(60)]
    driver = ListDriver(("co2",), (("co2", 0),), rows)
    driver.period_s = 5
    return driver
rig = Rig([slow(60), slow(30), slow(25)], SetClock(MINUTE), capacity=1)
rig.run(60)
assert rig.frames[0].values == [6, 3, None] and not rig.frames[0].runs, rig.frames[0]
""")  # fmt: skip


def test_driver_with_an_aggregate_of_its_own_makes_levels_and_percentiles(micropython):
    passes(micropython, """
class Own:
    needs_half, count = True, 0
    def clear(self): self.count = 0
    def add(self, value): self.count += 1
    def result(self, percent): return 500 + percent
driver = ListDriver(("laeq", "lafmax"), (("lafmax", 1), ("la10", 0), ("laeq", 0)), [[400, 700]])
driver.aggregate = Own
rig = Rig([driver], SetClock(MINUTE), capacity=1)
rig.run(60)
assert rig.frames[0].values == [700, 510, 500], rig.frames[0].values
""")  # fmt: skip
