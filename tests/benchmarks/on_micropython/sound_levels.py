"""Feed files of DMA frames to the sound level meter; runs on MicroPython.

`sound_levels.py cases.json`: {"equaliser", "rate_hz", "sensitivity", "noise", "take_blocks", "files": [...]}. Prints a
line of JSON for every file: what each take gave.
"""

import json
import sys

from firmware.sensing.sound.filters import FILTERS
from firmware.sensing.sound.meter import BLOCK_MS, Meter

CHUNK_BLOCKS = 4


def taken(meter: Meter) -> dict:
    """The second that was just taken."""
    names = ("laeq", "lafmax", "lafmin", "las", "flags", "blocks")
    row = {name: getattr(meter, name) for name in names}
    row["laeq_db"] = meter.level_cdb(meter.energy, meter.blocks) / 100
    row["shorts"] = list(meter.short_levels)[: meter.shorts]
    return row


def measure(path: str, meter: Meter, take_blocks: int) -> list:
    """Every take of one file."""
    rows, now_ms, fed = [], 0, 0
    buf = bytearray(8 * meter.samples * CHUNK_BLOCKS)
    with open(path, "rb") as file:
        while file.readinto(buf) == len(buf):
            now_ms += BLOCK_MS * CHUNK_BLOCKS
            meter.feed(buf, now_ms)
            fed += CHUNK_BLOCKS
            if fed >= take_blocks:
                fed = 0
                if meter.take():
                    rows.append(taken(meter))
    return rows


def main(path: str) -> None:
    """Print the levels of every case."""
    with open(path) as file:
        job = json.load(file)
    filters = FILTERS[job["equaliser"], job["rate_hz"]]
    for case in job["files"]:
        meter = Meter(filters, job["rate_hz"], job["sensitivity"], job["noise"])
        print(json.dumps(measure(case, meter, job["take_blocks"])))


main(sys.argv[1])
