"""Feed LD2450 frames to parser, tracker and line; runs on MicroPython.

`count_frames.py FILE AX AY BX BY`: FILE holds episodes, each u32 length and that many bytes. Prints a line an episode:
entered and left so far.
"""

import struct
import sys

from firmware.sensing.drivers.ld2450 import FRAME_MS, Frames
from firmware.sensing.footfall.line import LineCounter


def main(path: str, line: tuple) -> None:
    """Print the totals after each episode."""
    counter, frames = LineCounter(line), Frames()
    with open(path, "rb") as file:
        while True:
            head = file.read(4)
            if len(head) < 4:
                return
            for byte in file.read(struct.unpack("<I", head)[0]):
                if frames.push(byte):
                    counter.step(frames.count, frames.xs, frames.ys, frames.speeds, FRAME_MS)
            print(counter.entered, counter.left)


main(sys.argv[1], tuple(map(int, sys.argv[2:6])))
