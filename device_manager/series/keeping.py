"""Keeping the derived tables up to date: dates, numbers, roll-ups. One Keeper at a time.

`advance` takes in what came since the last time, in steps of some thousand records:

    1. people's decisions, one by one: the readings that they concern get new numbers
    2. records: frames that can be read get numbers in commit order; others wait for their date or their channels
    3. frames that waited and can be read now get numbers
    4. roll-ups of the nodes concerned are made anew from the readings; cells that differ get new numbers

Each step is one transaction, so a Keeper that is killed goes on where the last step ended. Nothing depends on when
`advance` is called, except which numbers observations get.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager import frames as wire
from device_manager.ports import StoredRecord
from device_manager.series import numbering
from device_manager.series.calendar import QUARTER_S
from device_manager.series.changing import changed_lines
from device_manager.series.dating import BootTime, Health, Undated, boot_time
from device_manager.series.decisions import Decision, State, fold
from device_manager.series.deployments import Deployments
from device_manager.series.epochs import Epochs
from device_manager.series.rolling import Context, roll_node
from device_manager.series.store import NOT_UNDATED, FrameSource, SeriesStore, Waiting
from device_manager.series.working import EVER_S, Work, put_rolled
from firmware.wire import WireError, messages

Ints = npt.NDArray[np.int64]
STEP_RECORDS = 4096
_UNKNOWN = -1


class Report(NamedTuple):
    """What `advance` did."""

    records: int = 0
    decisions: int = 0
    numbers: int = 0
    waiting: int = 0


class Keeper:
    """Takes in what is new; `source` are the frames, `store` the derived tables, `loads` a codec's."""

    def __init__(self, source: FrameSource, store: SeriesStore, loads: Callable[[bytes], object]) -> None:
        self._source = source
        self._store = store
        self.loads = loads
        self._epochs = Epochs(source.record, loads)
        self._late: dict[int, tuple[int, int]] = {}  # nodes with frames that the last step dated: since and until when

    def advance(self, *, roll_up: bool = True, ended: Callable[[], bool] = lambda: False) -> Report:
        """Take in everything new, or as many steps of it as fit until `ended`; without `roll_up` roll-ups are left to
        `rebuilding.rebuild`."""
        before = self._store.progress()
        while not ended() and self._step(roll_up):
            pass
        with self._store.begin() as step:
            waiting = len(step.waiting())
        after = self._store.progress()
        record, decision, observation = (a - b for a, b in zip(after, before, strict=True))
        return Report(record, decision, observation, waiting)

    def context(self, state: State) -> Context:
        """Return what roll-ups of any node need, with `state` in force."""
        deployments = Deployments(self._source.deployments())
        return Context(self._source, self._epochs, self.loads, deployments, self._source.zones(), state)

    def _step(self, roll_up: bool) -> bool:
        """Take in one decision, or some records; False when there was nothing."""
        late, self._late = self._late, {}
        with self._store.begin() as step:
            progress = step.progress()
            decisions = self._source.decisions(progress.decision)
            records = [] if decisions else self._source.page(progress.record, STEP_RECORDS)
            if not (decisions or records or late):
                return False
            work = Work(step, progress, fold(self._source.decisions(), progress.decision), late)
            if decisions:
                self._decide(work, decisions[0])
            elif records:
                self._take(work, records)
            if roll_up:
                self._roll_up(work)
            step.put_progress(work.progress)
        return True

    def _decide(self, work: Work, decision: Decision) -> None:
        before = fold(self._source.decisions(), work.progress.decision)
        what = work.state.take(decision)
        work.progress = work.progress._replace(decision=decision.decision_id)
        if what is None:
            return
        contexts = self.context(before), self.context(work.state)
        for change in changed_lines(what, *contexts, self._source.node_ids(), work.step.blocks):
            first = work.progress.observation + 1
            args = (change.what, change.line, change.old, decision.kind, decision.decision_id, change.node_id)
            work.put(numbering.runs_block(first, *args))
            work.touch(change.node_id, int(change.line.start_s.min()))

    def _take(self, work: Work, records: Sequence[StoredRecord]) -> None:
        frames = [record for record in records if record.kind == "frame"]
        work.progress = work.progress._replace(record=records[-1].number)
        waiting = work.step.waiting()
        if frames:
            heads = wire.heads([frame.payload for frame in frames], self.loads)
            self._number(work, frames, heads, "new")
        woken = {(row.node_id, row.log_id) for row in waiting} & {(r.node_id, r.log_id) for r in records}
        self._wake(work, [row for row in waiting if (row.node_id, row.log_id) in woken])

    def _number(self, work: Work, frames: Sequence[StoredRecord], heads: wire.Heads, cause: str) -> None:
        """Number the frames that can be read; let the others wait."""
        width = self._widths(frames, heads.epoch)
        readable, dated = ~heads.unreadable, (heads.t0 != wire.NO_TIME) | (cause == "dated")
        late = np.flatnonzero(readable & ~(dated & (width != _UNKNOWN))).tolist()
        work.step.wait([_waiting(frames[i], heads, i) for i in late])
        at = np.flatnonzero(readable & dated & (width == heads.columns))
        if not len(at):
            return
        ready = at.tolist()
        number = np.array([frames[i].number for i in ready], dtype=np.int64)
        node_id = np.array([frames[i].node_id for i in ready], dtype=np.int64)
        start_s = np.where(heads.t0[at] != wire.NO_TIME, heads.t0[at], [frames[i].start_s or 0 for i in ready])
        mask = self._masks(work.state, [frames[i] for i in ready], heads.epoch[at], start_s, heads, at)
        work.put_frames(number, heads.count[at], heads.columns[at], mask, cause)
        order = np.lexsort((start_s, node_id))
        nodes, first = np.unique(node_id[order], return_index=True)
        end_s = np.maximum.reduceat((start_s + heads.interval_s[at] * heads.count[at])[order], first)
        for node, since_s, until_s in zip(nodes.tolist(), start_s[order][first].tolist(), end_s.tolist(), strict=True):
            work.touch(node, since_s, until_s)

    def _widths(self, frames: Sequence[StoredRecord], epoch: Ints) -> Ints:
        """Return how many channels each frame's epoch has, _UNKNOWN where nobody knows it yet."""
        log_id = np.array([frame.log_id for frame in frames], dtype=np.int64)
        pairs, which = np.unique(log_id << 32 | epoch, return_inverse=True)
        found = [self._epochs.get(pair >> 32, pair & 0xFFFFFFFF) for pair in pairs.tolist()]
        return np.array([len(one.channels) if one else _UNKNOWN for one in found], dtype=np.int64)[which]

    def _masks(
        self,
        state: State,
        frames: Sequence[StoredRecord],
        epoch: Ints,
        start_s: Ints,
        heads: wire.Heads,
        at: Ints,
    ) -> Ints:
        """Return for each frame a bit for each column that a calibration corrects somewhere in it."""
        mask = np.zeros(len(frames), dtype=np.int64)
        if not state.calibrations:
            return mask
        deployments = Deployments(self._source.deployments())
        node_id = np.array([frame.node_id for frame in frames], dtype=np.int64)
        last_s = start_s + heads.interval_s[at] * (heads.count[at] - 1)
        sites = np.stack((deployments.sites(node_id, start_s), deployments.sites(node_id, last_s)))
        names = {(f.node_id, f.log_id, int(e)) for f, e in zip(frames, epoch, strict=True)}
        log_id = np.array([frame.log_id for frame in frames], dtype=np.int64)
        for node, log, seq in names:
            found = self._epochs.get(log, seq)
            rows = np.flatnonzero((node_id == node) & (log_id == log) & (epoch == seq))
            for column, channel in enumerate(found.channels if found else ()):
                for c in state.for_channel(node, channel.sensor, channel.quantity)[0]:
                    inside = (last_s[rows] >= c.since_s) & (start_s[rows] < (c.until_s or 1 << 62))
                    there = (sites[:, rows] == c.target.site_id).any(axis=0) | (c.target.site_id is None)
                    mask[rows] |= np.where(inside & there, np.int64(1) << column, 0)
        return mask

    def _wake(self, work: Work, waiting: Sequence[Waiting]) -> None:
        """Number frames that waited, as far as they can be read now."""
        boots: dict[tuple[int, int], list[Waiting]] = {}
        named = [row for row in waiting if row.boot == NOT_UNDATED]
        for row in waiting:
            if row.boot != NOT_UNDATED:
                boots.setdefault((row.node_id, row.boot), []).append(row)
        self._read_again(work, named, None, "named")
        for (node_id, boot), rows in boots.items():
            found = self._boot_time(node_id, boot, rows)
            if found:
                work.step.date(node_id, found, rows)
                self._read_again(work, rows, found, "dated")
                self._roll_up_later(work, node_id, found.start_s + min(row.uptime_s for row in rows))

    def _roll_up_later(self, work: Work, node_id: int, since_s: int) -> None:
        """Have roll-ups made in the next step, which can read the dates; after a crash with the node's next frame."""
        self._late[node_id] = min(since_s, self._late.get(node_id, (since_s, 0))[0]), EVER_S
        newest_s = work.step.newest_s(node_id)
        if newest_s is not None and newest_s > since_s:
            work.step.put_newest(node_id, since_s)

    def _read_again(self, work: Work, rows: Sequence[Waiting], boot: BootTime | None, cause: str) -> None:
        frames = []
        for row in rows:
            record = self._source.record(row.log_id, row.seq)
            if record:
                frames.append(record._replace(start_s=boot.start_s + row.uptime_s) if boot else record)
        if frames:
            work.step.release(frame.number for frame in frames)
            heads = wire.heads([frame.payload for frame in frames], self.loads)
            self._number(work, frames, heads, cause)

    def _boot_time(self, node_id: int, boot: int, rows: Sequence[Waiting]) -> BootTime | None:
        said = list(self._messages(node_id, "health"))
        health = [Health(m["uptime_s"], m["time"]) for m in said if m["boot"] == boot and m["time"] is not None]
        greetings = list(self._messages(node_id, "state"))
        states = [m["time"] for m in greetings if m["boot"] == boot and m.get("time") is not None]
        if not health and not (greetings and greetings[-1]["boot"] != boot):
            return None  # as long as the boot lasts, a health message can still say it exactly
        frames = []
        for row in rows:
            before_s, behind_s = self._source.neighbours(row.log_id, row.seq)
            frames.append(Undated(row.uptime_s, row.span_s, row.received_s, before_s, behind_s))
        return boot_time(health, states, frames)

    def _messages(self, node_id: int, kind: str) -> Iterable[dict[str, int]]:
        for payload in self._source.events(node_id, kind):
            try:
                yield messages.from_items(kind, self.loads(payload))
            except (WireError, ValueError):  # only what an older citynode kept can fail here
                continue

    def _roll_up(self, work: Work) -> None:
        context = self.context(work.state)
        for node_id, (since_s, until_s) in sorted(work.touched.items()):
            newest_s = work.step.newest_s(node_id)
            if newest_s is not None and newest_s <= since_s and until_s // QUARTER_S == newest_s // QUARTER_S:
                work.step.put_newest(node_id, until_s)  # no interval ends with these
                continue
            until_s = max(until_s, newest_s or 0)
            made = roll_node(context, node_id, since_s if newest_s is None else min(since_s, newest_s), until_s)
            if made:
                put_rolled(work, made, "new")


def _waiting(frame: StoredRecord, heads: wire.Heads, i: int) -> Waiting:
    undated = heads.t0[i] == wire.NO_TIME
    boot = int(heads.boot[i]) if undated else NOT_UNDATED
    span_s = int(heads.interval_s[i] * heads.count[i])
    received_s = frame.received_ms // 1000
    return Waiting(
        frame.number, frame.node_id, frame.log_id, frame.seq, boot, int(heads.uptime_s[i]), span_s, received_s
    )
