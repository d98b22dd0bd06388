"""People who pass a virtual counter, one after the other, as often as the real hourly counts say (see pulse_counter).

Each pulse of the counting gate becomes a person with a height and a speed drawn from the site's seed, who walks through
once those before have gone: what a counter must count is what the gate's pulses say. Bodies are simple on purpose (a
head and shoulders of fixed size); hard cases are made on the host, in tests/walks.
"""

from firmware.virtual.models import Draws
from firmware.virtual.models.pulse_counter import Pulses

HALF_MM = 3000  # they come into being this far before the line and end as far behind it
APART_MS = 600
MOST = 16
HEAD_MM, SHOULDERS_MM = 200, 300
_FAR = 1 << 29


class Passers:
    """The people of a site; times in ms of the board's `elapsed_ms`."""

    def __init__(self, board: object) -> None:
        self._board = board
        self._gates = (Pulses(board, "footfall_in"), Pulses(board, "footfall_out"))
        self._seen = [gate.pulses() for gate in self._gates]
        self._draws = Draws(board.seed, 9)
        self._people = []  # (starts at ms, speed mm/s, direction, height mm)
        self._free_ms = 0

    def at(self, now_ms: int) -> list:
        """Everybody between the ends: [(mm along the passage, 0 at the line, mm/s, height mm), ...]; + is IN."""
        self._arrive(now_ms)
        while self._people and now_ms > self._people[0][0] + 2 * HALF_MM * 1000 // self._people[0][1]:
            self._people.pop(0)
        here = []
        for start_ms, speed, direction, height in self._people:
            gone = (now_ms - start_ms) * speed // 1000
            if gone >= 0:
                here.append((direction * (gone - HALF_MM), direction * speed, height))
        return here

    def _arrive(self, now_ms: int) -> None:
        for i in (0, 1):
            pulses = self._gates[i].pulses()
            while self._seen[i] < pulses:
                self._seen[i] += 1
                if len(self._people) < MOST:
                    self._add(now_ms, 1 - 2 * i)

    def _add(self, now_ms: int, direction: int) -> None:
        speed = int(self._draws.between(700, 1600))
        start_ms = max(now_ms, self._free_ms)
        self._free_ms = start_ms + 2 * HALF_MM * 1000 // speed + APART_MS
        self._people.append((start_ms, speed, direction, int(self._draws.between(1200, 1950))))


def top_mm(people: list, low_mm: int, high_mm: int) -> int:
    """The highest point above the floor between two places along the passage."""
    top = 0
    for along, _, height in people:
        if low_mm - HEAD_MM // 2 < along < high_mm + HEAD_MM // 2:
            top = max(top, height)
        elif low_mm - SHOULDERS_MM // 2 < along < high_mm + SHOULDERS_MM // 2:
            top = max(top, height * 4 // 5)
    return top
