"""Feed ranges to the path counter; runs on MicroPython.

`count_ranges.py FILE THRESHOLD`: FILE holds episodes, each u32 count and that many u16 ranges of zone 0, 1, 0, 1 ... in
mm (0 = dropped), STEP ms apart. Prints a line a episode: entered and left so far.
"""

import struct
import sys
from array import array

from firmware.sensing.footfall.path import PathCounter


def main(path: str, step_ms: int) -> None:
    """Print the totals after each episode."""
    counter = None
    with open(path, "rb") as file:
        while True:
            head = file.read(6)
            if len(head) < 6:
                return
            count, threshold_mm = struct.unpack("<IH", head)
            ranges = array("H", file.read(2 * count))
            if counter is None:
                counter = PathCounter(threshold_mm, threshold_mm)
            for zone in (0, 1):
                counter.zones[zone].threshold_mm = threshold_mm
            for i in range(count):
                counter.step(i & 1, ranges[i] or None, step_ms)
            print(counter.entered, counter.left)


main(sys.argv[1], int(sys.argv[2]))
