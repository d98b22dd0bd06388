"""The log: append, read, release; see `layout` for what lies on flash.

`tail` is the oldest record that flash still has, `released` the first that nobody has confirmed as far as flash knows
(it may lie below the tail), `head` the next number. Released records stay readable until their sector is needed, so
that a manager restored from a backup gets them again.

Sequence numbers count from 0 inside a log and never repeat: they are found again from the newest sector, which is never
erased before the next one has its header, and whose records are found even when its header rots. (A number could repeat
only if header and all records of the newest sector rot at once.) When the ring is full its oldest sector goes; what was
not released there is a loss, and becomes a record of the log itself. Two drops may share one loss record, and it may
name numbers that the manager has in fact committed (it was told so, or not, by a watermark that never came): it says
what the node no longer has.
"""

from firmware import forget
from firmware.outbox import layout
from firmware.outbox.cursor import RECORD, Cursor
from firmware.outbox.sectors import Sectors
from firmware.wire import WireError, const

FULL = "outbox full"
_NONE = const(-1)


def _records():
    """Losses are rare: their code is loaded when the first one is read or written."""
    from firmware.wire import records

    return records


class Outbox:
    """`flash` has size_bytes, read, program and erase (see hal.flash.Flash); `random_u32()` names a new log.

    For `mount`, which finds everything again at the start: sectors, walker, offset (of the next record in the newest
    sector), enter, end_seq, loaded_loss, owe.
    """

    KIND_NAMES = layout.KIND_NAMES

    def __init__(self, flash, random_u32) -> None:
        self._flash = flash
        self._record_head = bytearray(layout.RECORD_HEAD_BYTES)
        self.sectors = Sectors(flash)
        if not self.sectors.open():
            self.sectors.format(random_u32())
        self.log = self.sectors.log
        self._reader = Cursor(flash, self.log)  # for read() alone, so that sending in order stays cheap
        self.walker = Cursor(flash, self.log)
        self._owed_first = self._owed_last = _NONE  # dropped, and not yet declared by a loss record
        self.head = self.released = 0
        self.offset = layout.NOTE_AT
        from firmware.outbox import mount  # wanted once

        mount.mount(self)
        forget("outbox.mount")

    @property
    def tail(self) -> int:
        """Oldest record that flash still has; equals `head` when there is none."""
        return self.sectors.first_seq(self.sectors.oldest)

    @property
    def buffered(self) -> int:
        """Records that nobody has confirmed yet."""
        return self.head - max(self.released, self.tail)

    @property
    def lost(self) -> int:
        """Unreleased records dropped or given up; a reboot may forget those since the newest sector began."""
        return self.sectors.lost

    def append(self, kind: int, buf: bytes, length: int) -> int:
        """Keep a record, the first `length` bytes of `buf`, that was encoded with seq == head; return that seq.

        ValueError for a length outside 1..MAX_PAYLOAD. A loss record may follow it at once, so look at `head` again.
        """
        if not 0 < length <= layout.MAX_PAYLOAD or length > len(buf):
            raise ValueError("expected 1..%d bytes, got %d" % (layout.MAX_PAYLOAD, length))
        seq = self._put(kind, memoryview(buf)[:length])
        if self._owed_last != _NONE:
            self._declare_owed()
        return seq

    def idle(self) -> None:
        """Erase ahead: call it when the chip may stand still for 80 ms; waits until the newest sector is half full.

        A full ring gives up its oldest sector here, half a sector earlier than it had to. So `append` erases only when
        nobody was idle for half a sector.
        """
        if self.offset < layout.SECTOR_BYTES // 2:
            return
        if self.sectors.is_full():
            self._drop_oldest()
        self.sectors.prepare()
        if self._owed_last != _NONE:
            self._declare_owed()

    def append_loss(self, first: int, last: int, reason: str) -> int:
        """Give up records `first`..`last` (any below head) for ever; return the seq of the record that says so."""
        payload = _records().encode_loss(self.log, self.head, first, last, reason)
        self.sectors.lost += last - first + 1
        return self.append(layout.LOSS, payload, len(payload))

    def read(self, seq: int, buf: bytearray) -> tuple | None:
        """Copy the payload of record `seq` to the start of `buf`, return (kind, length); None when it cannot be read.

        Reading in ascending order costs one header and one payload; ValueError when `buf` is too short.
        """
        cursor = self._reader
        if not self._seek(cursor, seq):
            return None
        if cursor.length > len(buf):
            raise ValueError("expected a buffer of %d bytes or more, got %d" % (cursor.length, len(buf)))
        if not cursor.read(memoryview(buf)[: cursor.length]):
            return None
        return cursor.kind, cursor.length

    def kind(self, seq: int) -> int | None:
        """The kind of record `seq`, None when it is not whole; needs no buffer."""
        return self._reader.kind if self._seek(self._reader, seq) and self._reader.holds() else None

    def last_unreadable(self, seq: int) -> int:
        """The last number of the unreadable run that begins at `seq`, a record for which `read` returned None."""
        if not self.tail <= seq < self.head:
            raise ValueError("expected a record in %d..%d, got %d" % (self.tail, self.head - 1, seq))
        if self._seek(self._reader, seq):
            return seq
        return (self._reader.seq if self._reader.seq > seq else self.end_seq(self.sectors.find(seq))) - 1

    def release(self, next_seq: int) -> None:
        """The manager has committed everything below `next_seq`; costs one small program operation, and no erase."""
        if next_seq > self.head:
            raise ValueError("expected at most %d, got %d" % (self.head, next_seq))
        if next_seq <= self.released:
            return
        self.released = next_seq
        self.sectors.flag_released_below(next_seq)
        last = next_seq - 1
        if last >= self.tail and self.sectors.find(last) >= self.sectors.unflagged and self._seek(self.walker, last):
            self.walker.mark_released()

    def end_seq(self, sector: int) -> int:
        return self.head if sector == self.sectors.newest else self.sectors.first_seq(sector + 1)

    def enter(self, cursor: Cursor, sector: int) -> None:
        cursor.enter(sector, self.sectors.address(sector), self.sectors.first_seq(sector))

    def _seek(self, cursor: Cursor, seq: int) -> bool:
        """Bring `cursor` to record `seq` and load it; False leaves it behind the damage, or at the damage's start."""
        if not self.tail <= seq < self.head:
            return False
        sector = self.sectors.find(seq)
        if cursor.sector != sector or cursor.seq > seq:
            self.enter(cursor, sector)
        while cursor.seq <= seq:
            if cursor.load() != RECORD and not cursor.skip_damage(self.end_seq(sector)):
                return False
            if cursor.seq == seq:
                return True
            if cursor.seq < seq:
                cursor.advance()
        return False

    def _put(self, kind: int, payload: memoryview) -> int:
        if self.offset + layout.record_bytes(len(payload)) > layout.NOTE_AT:
            self._next_sector()
        layout.pack_record(self._record_head, self.log, self.head, kind, payload)
        address = self.sectors.address(self.sectors.newest) + self.offset
        self._flash.program(address, self._record_head)
        self._flash.program(address + layout.RECORD_HEAD_BYTES, payload)
        self.offset += layout.record_bytes(len(payload))
        self.head += 1
        return self.head - 1

    def _next_sector(self) -> None:
        if self.sectors.is_full():
            self._drop_oldest()
        self.sectors.start(self.head)
        self.offset = layout.SECTOR_HEAD_BYTES

    def _drop_oldest(self) -> None:
        first, end = self.tail, self.end_seq(self.sectors.oldest)
        first = max(first, self.released)
        if first < end:
            self.sectors.lost += end - first
            self.owe(first, end - 1)
            self._owe_nested()
            self.sectors.write_note(self._owed_first, self._owed_last)
        self.sectors.retire_oldest()

    def owe(self, first: int, last: int) -> None:
        if self._owed_last == _NONE:
            self._owed_first, self._owed_last = first, last
        self._owed_first = min(self._owed_first, first)
        self._owed_last = max(self._owed_last, last)

    def _owe_nested(self) -> None:
        """Loss records that go with the oldest sector: their ranges go into the new one."""
        cursor = self.walker
        oldest = self.sectors.oldest
        self.enter(cursor, oldest)
        while cursor.seq < self.end_seq(oldest) and cursor.load() == RECORD:
            if cursor.kind == layout.LOSS and cursor.seq >= self.released:
                loss = self.loaded_loss()
                if loss:
                    self.owe(loss[0], loss[1])
            cursor.advance()

    def loaded_loss(self) -> tuple:
        """(first, last) of the loss record that the walker has loaded, () when it is damaged."""
        payload = bytearray(self.walker.length)
        if not self.walker.read(memoryview(payload)):
            return ()
        try:
            fields = _records().decode("loss", bytes(payload))
        except WireError:  # of a newer contract: its range stays unknown here, the manager has it or asks
            return ()
        return fields["first"], fields["last"]

    def _declare_owed(self) -> None:
        first = max(self._owed_first, self.released)
        if first <= self._owed_last:
            payload = _records().encode_loss(self.log, self.head, first, self._owed_last, FULL)
            if self.offset + layout.record_bytes(len(payload)) > layout.NOTE_AT:
                return  # never in a new sector; an old debt waits for the next append
            self._put(layout.LOSS, memoryview(payload))
        self._owed_first = self._owed_last = _NONE
