"""Run an outbox for days: `wear.py BLOCKS FRAME_BYTES FRAMES_A_DAY DAYS` prints erases as JSON."""

import json
import sys

sys.path.append(__file__.rsplit("/", 3)[0] + "/firmware/on_node")

from nor_flash import NorFlash

from firmware.outbox import FRAME, Outbox


def main(blocks, frame_bytes, frames, days):
    flash = NorFlash(blocks)
    data = bytes(frame_bytes)
    for _ in range(days):
        outbox = Outbox(flash, lambda: 7)
        for _ in range(frames):
            outbox.append(FRAME, data, frame_bytes)
            outbox.release(outbox.head - 1)
            outbox.idle()
    mean = sum(flash.erases) / blocks
    most = max(flash.erases)
    print(json.dumps({"erases": sum(flash.erases), "most": most, "mean": mean, "evenness": mean / most}))


main(*(int(argument) for argument in sys.argv[1:]))
