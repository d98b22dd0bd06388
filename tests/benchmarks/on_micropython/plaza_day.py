"""Hours of a design's sensors as fast as the processor allows: sampler, record, batch and every driver on its model.

Time is this script's: it passes only while everybody waits. Argument: hours. In the current directory, node.json has
the design's sensors and buses, virtual.json wires the models. Prints JSON: frames, records, missing and flagged values,
and (hour, bytes allocated after a collection) at the end of every hour.
"""

import gc

gc.threshold(4096)

import sys  # noqa: E402 - as firmware.main: the line above must come first
import time  # noqa: E402

_real_ms = time.ticks_ms
_now = [_real_ms()]
_BEGAN_UNIX_S = 1767225600 + 600000 * 60 - _now[0] // 1000
_STEP_MS = 5


def ticks_ms():
    """Virtual milliseconds, never behind the true ones, which the scheduler in C compares with."""
    return _now[0]


def _advance(ms):
    _now[0] = max(_now[0] + ms, _real_ms())


time.ticks_ms = ticks_ms
time.ticks_us = lambda: 1000 * _now[0]
time.time_ns = lambda: (1000 * _BEGAN_UNIX_S + _now[0]) * 1000000
time.time = lambda: _BEGAN_UNIX_S + _now[0] / 1000
time.sleep_ms = _advance

import select  # noqa: E402


class _Poll:
    """Waits in virtual time for the only kind of stream here: one of the models'."""

    def __init__(self):
        self._waiting = {}

    def register(self, stream, mask):
        self._waiting[id(stream)] = (stream, mask)

    modify = register

    def unregister(self, stream):
        self._waiting.pop(id(stream), None)

    def ipoll(self, timeout_ms):
        left_ms = timeout_ms if timeout_ms >= 0 else 1 << 30
        while True:
            ready = [(stream, 1) for stream, mask in self._waiting.values() if stream.ioctl(3, mask) & 1]
            if ready or left_ms <= 0:
                return ready
            step_ms = min(left_ms, _STEP_MS if self._waiting else left_ms)
            _advance(step_ms)
            left_ms -= step_ms


select.poll = _Poll

import asyncio  # noqa: E402
import json  # noqa: E402

from firmware.hal.buses import Buses  # noqa: E402
from firmware.hal.clock import Clock  # noqa: E402
from firmware.sensing.opening import open_driver  # noqa: E402
from firmware.sensing.record import Record  # noqa: E402
from firmware.sensing.sampler import Sampler  # noqa: E402
from firmware.sensing.sensor import Sensor  # noqa: E402
from firmware.wire.batch import Batch, bytes_for  # noqa: E402

RECORD_S, RECORDS = 60, 5


class Count:
    """What the frames hold; the last error of any sensor."""

    frames = records = missing = flagged = 0
    error = ""


class Watched(Batch):
    """A batch that counts what is missing and flagged."""

    def add(self, values, flags):
        Count.missing += sum([value is None for value in values])
        Count.flagged += sum([flag != 0 for flag in flags])
        super().add(values, flags)


def _error(text):
    Count.error = text


def _open(node):
    buses, sensors, first = Buses(node["buses"]), [], 0
    for row in node["sensors"]:
        sensors.append(Sensor(row["name"], open_driver(row, buses), first, _error))
        first += len(sensors[-1].driver.inputs)
    return sensors


async def _main(hours, node):
    sensors = _open(node)
    record = Record(sensors)
    batch = Watched(len(record.names), RECORDS)
    buf = bytearray(bytes_for(batch.channels, RECORDS))

    def keep(closed):
        Count.frames += 1
        Count.records += closed.count
        closed.encode_into(buf, 7, Count.frames, 0)

    sampler = Sampler(sensors, record, Clock(), batch, RECORD_S, 7, keep)
    asyncio.create_task(sampler.run())
    marks = []
    for hour in range(hours + 1):
        gc.collect()
        marks.append((hour, gc.mem_alloc()))
        if hour < hours:
            await asyncio.sleep_ms(3600000)
    faults = sum([sensor.faults for sensor in sensors])
    found = {"frames": Count.frames, "records": Count.records, "missing": Count.missing, "flagged": Count.flagged}
    found.update({"faults": faults, "error": Count.error, "channels": len(record.names), "marks": marks})
    print(json.dumps(found))


with open("node.json") as file:
    asyncio.run(_main(int(sys.argv[1]), json.load(file)))
