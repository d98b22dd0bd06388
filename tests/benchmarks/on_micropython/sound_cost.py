"""Time the whole chain of the sound level meter; runs on MicroPython.

`sound_cost.py RATE_HZ CHUNKS ROUNDS`: prints the median nanoseconds a sample of Meter.feed over noise in chunks of
20 ms, of weigh alone, and the growth of the heap over the rounds.
"""

import gc
import json
import sys
import time
from array import array

from firmware.sensing.sound import kernels
from firmware.sensing.sound.filters import FILTERS
from firmware.sensing.sound.meter import Meter


def noise(frames: int) -> array:
    """DMA slots of white noise 20 dB below full scale, in the first slot."""
    slots, seed = array("i", bytes(8 * frames)), 1
    for i in range(frames):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        slots[2 * i] = ((seed >> 12) - 0x80000) // 10 * 0x1000
    return slots


def median_ns(function, restore, samples: int, rounds: int) -> float:
    """The median of so many timings; `restore` runs before each, outside of it."""
    times = []
    for _ in range(rounds):
        restore()
        began = time.ticks_us()
        function()
        times.append(time.ticks_diff(time.ticks_us(), began) * 1000 / samples)
    return sorted(times)[rounds // 2]


def main(rate_hz: int, chunks: int, rounds: int) -> None:
    """Print the figures as JSON."""
    meter = Meter(FILTERS["ics43434", rate_hz], rate_hz, -260, 290)
    frames = rate_hz // 50
    sound = noise(frames)
    parts = [array("i", sound) for _ in range(chunks)]

    def restore():
        for part in parts:
            part[:] = sound

    def chain():
        for part in parts:
            meter.feed(part, 0)

    def weigh():
        for part in parts:
            for at in range(0, 2 * frames, 2 * meter.samples):
                kernels.weigh(0, 0, at, part, meter._c, meter._s)

    samples = frames * chunks
    for _ in range(2 + 40 // chunks):  # past settling
        restore()
        chain()
    meter.take()
    growth = rounds
    gc.collect()
    before = gc.mem_alloc()
    for _ in range(rounds):
        chain()
        meter.take()
    gc.collect()
    growth = gc.mem_alloc() - before
    chain_ns, weigh_ns = (median_ns(part, restore, samples, rounds) for part in (chain, weigh))
    print(json.dumps({"chain_ns": chain_ns, "weigh_ns": weigh_ns, "growth": growth}))


main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
