"""What the meter says of a second: flags, gaps, sums, and records of 1/8-s levels. On MicroPython."""

from __future__ import annotations

PRELUDE = """
import math
from array import array
from firmware.sensing.sound.filters import FILTERS
from firmware.sensing.sound.levels import ShortLevels
from firmware.sensing.sound.meter import Meter
from firmware.wire import quality

RATE = 32000
class Bench:
    '''A meter with a clock; tone() feeds blocks of 20 ms of a 1 kHz tone.'''
    def __init__(self, sensitivity=-260, slot=0):
        self.meter = Meter(FILTERS["flat", RATE], RATE, sensitivity, 290, slot)
        self.slot, self.now_ms = slot, 0
        self.buf = array("i", bytes(8 * RATE // 50))
        self.wave = [math.sin(2 * math.pi * i / 32) for i in range(32)]
    def tone(self, level_db, seconds, clip=0x7FFFFF):
        top = (1 << 23) * math.pow(10, (level_db - 120) / 20)
        period = [max(-clip - 1, min(clip, int(top * w))) * 256 for w in self.wave]
        for _ in range(round(seconds * 50)):
            for i in range(RATE // 50):
                self.buf[2 * i + self.slot] = period[i % 32]
                self.buf[2 * i + 1 - self.slot] = 0
            self.now_ms += 20
            self.meter.feed(self.buf, self.now_ms)
    def settled(self):
        self.tone(70, 0.5)
        self.meter.take()
        return self
bench = Bench()
meter = bench.meter
"""


def passes(micropython, body: str) -> None:
    done = micropython(PRELUDE + body, heap="2m")
    assert done.returncode == 0, done.stdout + done.stderr


def test_first_half_second_is_thrown_away(micropython):
    passes(micropython, """
bench.tone(90, 0.4)
assert not meter.take() and meter.flags == quality.WARM_UP
bench.tone(90, 0.1)
bench.tone(60, 1)
assert meter.take() and meter.blocks == 200 and abs(meter.laeq - 600) < 10, meter.laeq
""")  # fmt: skip


def test_loud_half_and_quiet_half_average_by_energy(micropython):
    passes(micropython, """
bench.settled()
bench.tone(80, 0.5); bench.tone(60, 0.5)
meter.take()
assert meter.laeq == 770, meter.laeq   # not 700
assert meter.lafmax == 800 and abs(meter.lafmin - 645) <= 1, (meter.lafmax, meter.lafmin)
shorts = list(meter.short_levels)[:meter.shorts]
assert shorts[:4] == [800] * 4 and len(shorts) == 8 and max(shorts[4:]) < 640, shorts
""")  # fmt: skip


def test_slow_and_fast_follow_their_time_constants(micropython):
    passes(micropython, """
bench.settled()
bench.tone(70, 1.9); meter.take()
bench.tone(100, 1); meter.take()
assert abs(meter.las - 980) <= 1, meter.las     # -2.0 dB after one second
bench.tone(20, 1); meter.take()
assert abs(meter.lafmin - (1000 - 347)) <= 3 and abs(meter.las - (980 - 43)) <= 2, (meter.lafmin, meter.las)
""")  # fmt: skip


def test_overload_is_flagged_and_the_next_second_is_clean(micropython):
    passes(micropython, """
bench.settled()
bench.tone(119, 1); meter.take()
assert meter.flags == 0
bench.tone(122, 0.1); bench.tone(80, 0.9); meter.take()
assert meter.flags == quality.OUT_OF_RANGE and meter.overloads == 1
bench.tone(80, 1); meter.take()
assert meter.flags == 0
""")  # fmt: skip


def test_under_range_and_dead_line_are_told(micropython):
    passes(micropython, """
bench.settled()
for level, flags, dead in ((36, 0, False), (34, quality.OUT_OF_RANGE, False), (-60, quality.OUT_OF_RANGE, True)):
    bench.tone(level, 2.5); meter.take()
    bench.tone(level, 1); meter.take()
    assert (meter.flags, meter.dead) == (flags, dead), (level, meter.laeq)
""")  # fmt: skip


def test_lost_samples_are_flagged_and_shorten_the_measured_time(micropython):
    passes(micropython, """
bench.settled()
bench.tone(70, 1); meter.take()
assert (meter.flags, meter.lost_ms) == (0, 0)
bench.tone(70, 0.3); bench.now_ms += 160; bench.tone(70, 0.54); meter.take()
got = (meter.flags, meter.lost_ms, meter.blocks, meter.gaps)
assert got == (quality.FAULT, 160, 168, 1), got
assert meter.laeq == 700
bench.tone(70, 1); meter.take()
assert (meter.flags, meter.lost_ms) == (0, 0)
""")  # fmt: skip


def test_late_chunks_without_loss_and_a_drifting_clock_are_no_gap(micropython):
    passes(micropython, """
bench.settled()
for second in range(12):
    bench.tone(70, 0.5)
    bench.now_ms += 80; bench.tone(70, 0.02); bench.now_ms -= 80   # the loop was busy, the DMA kept all
    bench.tone(70, 0.48)
    bench.now_ms += second % 2                                       # 500 ppm
    meter.take()
    assert (meter.flags, meter.gaps) == (0, 0), second
""")  # fmt: skip


def test_sums_untaken_for_long_begin_anew_instead_of_overflowing(micropython):
    passes(micropython, """
bench.settled()
bench.tone(120, 3.5); meter.take()
assert meter.blocks < 400 and abs(meter.laeq - 1200) <= 1 and meter.shorts <= 12
""")  # fmt: skip


def test_right_slot_and_sensitivity_are_obeyed(micropython):
    passes(micropython, """
right = Bench(-240, 1).settled()
right.tone(90, 1); right.meter.take()
assert right.meter.laeq == 880, right.meter.laeq    # 2 dB more sensitive: the same number is 2 dB less sound
""")  # fmt: skip


def test_record_takes_percentiles_from_eighths_and_laeq_from_energy(micropython):
    passes(micropython, """
bench.settled()
record = ShortLevels(meter)
for second in range(5):
    bench.tone(80, 0.2); bench.tone(60, 0.8)     # a fifth is loud
    meter.take()
    record.add(meter.laeq)
assert record.count == 5
tenth, half, ninety = (record.result(n) for n in (10, 50, 90))
assert abs(tenth - 800) <= 1 and abs(half - 600) <= 2 and abs(ninety - 600) <= 1, (tenth, half, ninety)
want = 800 + 100 * math.log10(0.2 + 0.8 / 100)
assert abs(record.result(0) - want) <= 1, (record.result(0), want)
record.clear()
assert record.count == 0
""")  # fmt: skip


def test_no_sample_survives_in_the_buffer(micropython):
    """Magnitudes of the weighted signal stand where the first half of every block was; nothing else is kept."""
    passes(micropython, """
bench.settled()
bench.tone(80, 0.02)
words = 2 * meter.samples
for block in range(4):
    assert all(0 <= w < 1 << 21 for w in bench.buf[block * words : block * words + meter.samples])
assert len(meter._s) + len(meter._c) < 64
""")  # fmt: skip
