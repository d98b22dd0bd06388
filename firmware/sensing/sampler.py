"""The task that turns seconds into records on the clock and records into batches.

Every second, shortly after the clock's second has changed, all sensors are read one after the other. What is read then
describes the second that has just ended. A record begins at a multiple of `record_s` of Unix time, so that the records
of all nodes of a city lie side by side; while the clock is not synchronised it begins at a multiple of `record_s` of
uptime, and the batch is dated by boot and uptime instead.

A batch holds records without a hole. It is closed, and handed over, when it is full (its capacity is the length of a
frame), the clock becomes synchronised or is put back by more than a record, or seconds are missing for so long that a
record is not worth giving (fewer than half of its seconds).

    >>> sampler = Sampler(sensors, Record(sensors), clock, Batch(16, 5), 60, boot, on_batch)
    >>> asyncio.create_task(sampler.run())
"""

import asyncio

from firmware.sensing.record import Record

PHASE_MS = 50  # after the change of the second: a sensor that measures at 1 Hz has then finished


class Sampler:
    """`sensors` in the order of the frame, `record` made of the same, `batch` with as many channels as `record` has.

    `on_batch(batch)` is called once for every closed batch and must be done with it when it returns.
    """

    def __init__(
        self,
        sensors: list,
        record: Record,
        clock,
        batch,
        record_s: int,
        boot: int,
        on_batch,
    ) -> None:
        self._sensors = sensors
        self._record = record
        self._clock = clock
        self._batch = batch
        self._record_s = record_s
        self._boot = boot
        self._on_batch = on_batch
        inputs = sum(len(sensor.driver.inputs) for sensor in sensors)
        self.values = [None] * inputs  # of the newest second
        self.flags = [0] * inputs
        self.marks = 0  # flags of every reading from now on: maintenance
        self._dated = False
        self._begun = False
        self._start_s = 0  # of the open record, in Unix time or uptime
        self.seconds = 0  # sampled since boot: the task's sign of life

    async def run(self) -> None:
        """Sample for ever."""
        while True:
            await asyncio.sleep_ms(self._clock.ms_to_next_second() + PHASE_MS)
            await self.tick()

    async def tick(self) -> None:
        """Read every sensor once and add the second that has just ended."""
        uptime_s = self._clock.uptime_s()
        unix_s = self._clock.unix_s()
        for i in range(len(self.values)):
            self.values[i] = None
            self.flags[i] = self.marks
        for sensor in self._sensors:
            await sensor.poll(self.values, self.flags, uptime_s)
        if unix_s is None:
            self._add(False, max(0, uptime_s - 1))
        else:
            self._add(True, unix_s - 1)
        self.seconds += 1

    def flush(self) -> None:
        """Close the open batch without its open record, which is lost: before a planned restart."""
        self._close_batch()

    def _add(self, dated: bool, second: int) -> None:
        self._move_to(dated, second)
        if second >= self._start_s:
            self._record.add(self.values, self.flags)
        if second == self._start_s + self._record_s - 1:
            self._close_record()

    def _move_to(self, dated: bool, second: int) -> None:
        """Make the record of `second` the open one and close what ended before it."""
        if not self._begun:
            return self._begin(dated, second)
        if dated != self._dated or second < self._start_s - self._record_s:
            self._close_record()
            self._close_batch()
            return self._begin(dated, second)
        if second >= self._start_s + self._record_s:
            self._close_record()
        if second >= self._start_s + self._record_s:
            self._close_batch()
            self._begin(dated, second)

    def _begin(self, dated: bool, second: int) -> None:
        """Open the record of `second`, or the next one if less than half of it is left."""
        gone_s = second % self._record_s
        self._begun = True
        self._dated = dated
        self._start_s = second - gone_s + (self._record_s if 2 * gone_s > self._record_s else 0)

    def _close_record(self) -> None:
        """Append the open record to the batch if it has half of its seconds, and open the next."""
        if 2 * self._record.seconds >= self._record_s:
            self._append()
        else:
            self._record.clear()
            self._close_batch()
        self._start_s += self._record_s

    def _append(self) -> None:
        self._record.close(self._record_s)
        batch = self._batch
        if not batch.count and self._dated:
            batch.start(self._start_s, self._record_s)
        elif not batch.count:
            batch.start(None, self._record_s, self._boot, self._start_s)
        batch.add(self._record.values, self._record.flags)
        if batch.full:
            self._close_batch()

    def _close_batch(self) -> None:
        if self._batch.count:
            self._on_batch(self._batch)
            self._batch.start(None, self._record_s)
