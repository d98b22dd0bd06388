"""Path counter, tracker and line on real MicroPython: hand-made passages, each named by what happens in the doorway."""

import pytest

PRELUDE = """
from array import array
from firmware.sensing.footfall.path import PathCounter
from firmware.sensing.footfall.line import LineCounter
from firmware.sensing.footfall.view import View
from firmware.sensing.footfall.zone import Zone, FALL, SPLIT, RIGID_MS

FLOOR, HEAD, STEP = 2500, 800, 25

def walk(counter, *passages, until=0, heads=(HEAD, HEAD)):
    "passages: (zone, from ms, to ms); ranges of both zones in turn until all are over"
    end = max([until] + [p[2] for p in passages]) + 1500
    for i in range(end // STEP):
        zone, now = i & 1, i * STEP
        there = any(p[0] == zone and p[1] <= now < p[2] for p in passages)
        counter.step(zone, heads[zone] if there else FLOOR, STEP)
    return counter.entered, counter.left

class Radar:
    "a line from (0, 4000) to (0, 1000): IN is towards +x"
    def __init__(self):
        self.counter = LineCounter((0, 4000, 0, 1000))
        self.xs, self.ys, self.speeds = [array("i", bytes(12)) for _ in range(3)]
        self.count = 0
    def frame(self, *targets, speed=None):
        self.count += 1
        for i, (x, y) in enumerate(targets):
            self.xs[i], self.ys[i], self.speeds[i] = x, y, self.count % 3 * 8 if speed is None else speed
        self.counter.step(len(targets), self.xs, self.ys, self.speeds, 90)
        return self.counter.entered, self.counter.left
"""


@pytest.fixture
def passes(micropython):
    def run(body: str) -> None:
        done = micropython(PRELUDE + body)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_walk_through_counts_in_one_direction_and_out_in_the_other(passes):
    passes("""
assert walk(PathCounter(FLOOR), (0, 500, 1000), (1, 700, 1200)) == (1, 0)
assert walk(PathCounter(FLOOR), (1, 500, 1000), (0, 700, 1200)) == (0, 1)
""")


def test_fast_walker_with_one_step_between_the_zones_counts(passes):
    passes("assert walk(PathCounter(FLOOR), (0, 500, 750), (1, 575, 825)) == (1, 0)")


def test_turn_back_from_under_the_second_zone_counts_nothing(passes):
    passes("""
assert walk(PathCounter(FLOOR), (0, 500, 2000), (1, 900, 1600)) == (0, 0)
assert walk(PathCounter(FLOOR), (0, 500, 1000), (1, 800, 2200), (0, 1900, 2600)) == (0, 0)
""")


def test_one_zone_alone_counts_nothing(passes):
    passes("""
assert walk(PathCounter(FLOOR), (0, 500, 900), (0, 1500, 4000)) == (0, 0)
assert walk(PathCounter(FLOOR), (0, 500, 900), (1, 1600, 2000)) == (0, 0)  # too late to be the same person
""")


def test_two_who_overlap_count_two(passes):
    passes("""
assert walk(PathCounter(FLOOR), (0, 500, 900), (1, 700, 1100), (0, 1000, 1400), (1, 1200, 1600)) == (2, 0)
""")


def test_loiterer_who_turns_round_twice_and_leaves_behind_counts_one(passes):
    passes("""
assert walk(PathCounter(FLOOR), (0, 500, 1000), (1, 800, 3000), (0, 2900, 4000), (1, 3800, 4300)) == (1, 0)
""")


def test_totals_never_go_back_and_are_not_clamped(passes):
    passes("""
counter = PathCounter(FLOOR)
for i in range(3):
    walk(counter, (1, 500, 1000), (0, 700, 1200))
assert (counter.entered, counter.left) == (0, 3)
""")


def test_dropped_and_single_false_ranges_change_nothing(passes):
    passes("""
counter = PathCounter(FLOOR)
for i in range(120):
    now, zone = i * STEP, i & 1
    there = (500 <= now < 1000) if zone == 0 else (700 <= now < 1200)
    range_mm = HEAD if there else FLOOR
    if i % 9 == 0: range_mm = None
    if i % 31 == 0: range_mm = 300 if not there else 3900
    counter.step(zone, range_mm, STEP)
assert (counter.entered, counter.left) == (1, 0)
""")


def test_no_echo_at_all_frees_the_zone(passes):
    passes("""
zone = Zone(FLOOR)
for i in range(10): zone.step(HEAD, i * 50)
assert zone.occupied
for i in range(10, 20): zone.step(None, i * 50)
assert not zone.occupied
""")


def test_floor_is_learnt_and_follows(passes):
    passes("""
zone = Zone()
for i in range(45): zone.step(2400, i * 50)
assert zone.learnt and zone.floor_mm == 2400
for i in range(2000): zone.step(2300, i * 50)
assert 2290 <= zone.floor_mm <= 2310
standing = Zone()
for i in range(45): standing.step(900, i * 50)  # somebody stands below at the start
for i in range(1500): standing.step(2400, i * 50)
assert standing.floor_mm > 2300
""")


def test_door_that_stands_becomes_an_obstacle_and_the_view_turns_away(passes):
    passes("""
zone = Zone(FLOOR)
view = View(zone)
now = 0
while view.part == 0 and now < 20000:
    now += 50
    zone.step(500 + now % 3, now)
    view.step(50)
assert RIGID_MS <= now < RIGID_MS + 500 and view.part == 1 and not zone.occupied and not view.blocked
for _ in range(400):
    now += 50
    zone.step(FLOOR, now)
    view.step(50)
assert view.part == 1 and not view.blocked
for _ in range(6200):
    now += 50
    zone.step(FLOOR, now)
    view.step(50)
assert view.part == 0
""")


def test_view_that_is_blocked_everywhere_says_so_until_it_is_free(passes):
    passes("""
zone = Zone(FLOOR)
view = View(zone)
for i in range(600):
    zone.step(500, i * 50)
    view.step(50)
assert view.blocked
for i in range(600, 800):
    zone.step(FLOOR, i * 50)
    view.step(50)
assert not view.blocked
""")


def test_floor_learnt_among_false_ranges_is_right(passes):
    passes("""
zone = Zone()
for i in range(60): zone.step((3900, 3800, 300)[i % 3] if i % 10 < 3 else 2500, i * 50)
assert 2450 < zone.floor_mm < 2550, zone.floor_mm
""")


def test_wrong_floor_is_learnt_anew(passes):
    passes("""
counter = PathCounter(4000)
views = [View(zone) for zone in counter.zones]
for i in range(4000):
    counter.step(i & 1, 2500 + i % 7, STEP)
    views[i & 1].step(2 * STEP)
assert all(2450 < zone.floor_mm < 2550 for zone in counter.zones)
assert walk(counter, (0, 500, 1000), (1, 700, 1200)) == (1, 0)
""")


def test_person_who_stands_still_for_long_still_counts_when_leaving(passes):
    passes("""
counter = PathCounter(FLOOR)
for i in range(900):
    zone, now = i & 1, i * STEP
    there = (500 <= now < 21000) if zone == 0 else (20800 <= now < 21300)
    moves = 150 if now >= 20500 else 0  # the head moves off the middle of the zone
    counter.step(zone, HEAD + moves if there else FLOOR, STEP)
assert (counter.entered, counter.left) == (1, 0)
""")


def test_counter_runs_a_million_steps_in_a_small_heap_without_growth(micropython):
    done = micropython(PRELUDE + """
import gc
counter = PathCounter(FLOOR)
def some(n):
    for i in range(n):
        counter.step(i & 1, 700 + (i * 7919) % 1900, STEP)
some(2000); gc.collect(); before = gc.mem_alloc()
some(300000); gc.collect()
assert gc.mem_alloc() <= before + 64, gc.mem_alloc() - before
""", heap="96k")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_track_over_the_line_counts_in_and_out(passes):
    passes("""
radar = Radar()
for x in range(-2000, 2001, 100): got = radar.frame((x, 2500))
assert got == (1, 0)
for x in range(2000, -2001, -100): got = radar.frame((x, 2500))
assert got == (1, 1)
""")


def test_track_that_turns_at_the_line_counts_nothing(passes):
    passes("""
radar = Radar()
for x in list(range(-2000, 301, 100)) + list(range(300, -2001, -100)): got = radar.frame((x, 2500))
assert got == (0, 0)
""")


def test_track_past_the_end_of_the_line_counts_nothing(passes):
    passes("""
radar = Radar()
for x in range(-2000, 2001, 100): got = radar.frame((x, 5200))
assert got == (0, 0)
""")


def test_slots_that_change_places_do_not_change_persons(passes):
    passes("""
radar = Radar()
for i in range(41):
    a, b = (-2000 + 100 * i, 2000), (2000 - 100 * i, 3200)
    got = radar.frame(*((a, b) if i % 2 else (b, a)))
assert got == (1, 1)
""")


def test_person_lost_for_a_second_on_the_line_is_followed(passes):
    passes("""
radar = Radar()
for x in range(-2000, 2001, 100): got = radar.frame() if -500 <= x <= 500 else radar.frame((x, 2500))
assert got == (1, 0)
""")


def test_target_that_the_radar_only_extrapolates_over_the_line_counts_nothing(passes):
    passes("""
radar = Radar()
for x in range(-2000, -299, 100): radar.frame((x, 2500))
for x in range(-200, 1500, 100): radar.frame((x, 2500), speed=96)
for _ in range(20): radar.frame()
for x in range(-600, -2000, -100): got = radar.frame((x, 2500))
assert got == (0, 0)
""")


def test_person_lost_while_standing_at_the_line_is_taken_up_again(passes):
    passes("""
radar = Radar()
for x in range(-2000, -99, 100): radar.frame((x, 2500))
for _ in range(20): radar.frame((-100, 2500))
for _ in range(200): radar.frame()
for _ in range(20): radar.frame((-150, 2600))
for x in range(-100, 2001, 100): got = radar.frame((x, 2500))
assert got == (1, 0)
""")


def test_stray_echo_begins_nothing(passes):
    passes("""
radar = Radar()
for i in range(200):
    got = radar.frame(((-1) ** i * 900, 2500)) if i % 9 < 2 else radar.frame()
assert got == (0, 0)
""")


def test_more_targets_than_tracks_are_let_go(passes):
    passes("""
radar = Radar()
for i in range(60):
    radar.frame(*(((7 * i + k) * 1301 % 8000 - 4000, (i + k) * 977 % 5000) for k in range(3)))
for x in range(-2000, 2001, 100): radar.frame((x, 2500))
""")


def test_line_of_no_length_is_refused(passes):
    passes("""
try:
    LineCounter((0, 0, 10, 10))
except ValueError as error:
    assert "at least 200 mm, got 14" in str(error)
else:
    raise AssertionError
""")
