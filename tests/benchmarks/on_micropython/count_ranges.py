"""Feed ranges to the path counter; runs on MicroPython.

`count_ranges.py FILE STEP_MS`: FILE holds episodes, each u32 count, and for each part of the view that many u16 ranges
of zone 0, 1, 0, 1 ... in mm (0 = dropped), STEP_MS apart. Prints a line an episode: entered and left so far, and in how
many steps of it a zone was blocked.
"""

import struct
import sys
from array import array

from firmware.sensing.footfall.path import PathCounter
from firmware.sensing.footfall.view import View


def main(path: str, step_ms: int) -> None:
    """Print the totals after each episode."""
    counter = PathCounter()
    views = [View(zone) for zone in counter.zones]
    with open(path, "rb") as file:
        while True:
            head = file.read(4)
            if len(head) < 4:
                return
            count = struct.unpack("<I", head)[0]
            parts = [array("H", file.read(2 * count)) for _ in range(3)]
            blocked = 0
            for i in range(count):
                view = views[i & 1]
                counter.step(i & 1, parts[view.part][i] or None, step_ms)
                view.step(2 * step_ms)
                blocked += view.part != 0
            print(counter.entered, counter.left, blocked)


main(sys.argv[1], int(sys.argv[2]))
