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

from firmware.outbox import layout
from firmware.outbox.cursor import BLANK, RECORD, Cursor
from firmware.outbox.sectors import Sectors
from firmware.wire import WireError, const, records

FULL = "outbox full"
_NONE = const(-1)


class Outbox:
    """`flash` has size_bytes, read, program and erase (see hal.flash.Flash); `random_u32()` names a new log."""

    KIND_NAMES = layout.KIND_NAMES

    def __init__(self, flash, random_u32) -> None:
        self._flash = flash
        self._record_head = bytearray(layout.RECORD_HEAD_BYTES)
        self._sectors = Sectors(flash)
        if not self._sectors.open():
            self._sectors.format(random_u32())
        self.log = self._sectors.log
        self._reader = Cursor(flash, self.log)  # for read() alone, so that sending in order stays cheap
        self._walker = Cursor(flash, self.log)
        self._owed_first = self._owed_last = _NONE  # dropped, and not yet declared by a loss record
        self.head = self.released = 0
        self._offset = layout.NOTE_AT
        self._find_head()
        self._find_released()
        self._find_owed()

    @property
    def tail(self) -> int:
        """Oldest record that flash still has; equals `head` when there is none."""
        return self._sectors.first_seq(self._sectors.oldest)

    @property
    def buffered(self) -> int:
        """Records that nobody has confirmed yet."""
        return self.head - max(self.released, self.tail)

    @property
    def lost(self) -> int:
        """Unreleased records dropped or given up; a reboot may forget those since the newest sector began."""
        return self._sectors.lost

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
        if self._offset < layout.SECTOR_BYTES // 2:
            return
        if self._sectors.is_full():
            self._drop_oldest()
        self._sectors.prepare()
        if self._owed_last != _NONE:
            self._declare_owed()

    def append_loss(self, first: int, last: int, reason: str) -> int:
        """Give up records `first`..`last` (any below head) for ever; return the seq of the record that says so."""
        payload = records.encode_loss(self.log, self.head, first, last, reason)
        self._sectors.lost += last - first + 1
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

    def last_unreadable(self, seq: int) -> int:
        """The last number of the unreadable run that begins at `seq`, a record for which `read` returned None."""
        if not self.tail <= seq < self.head:
            raise ValueError("expected a record in %d..%d, got %d" % (self.tail, self.head - 1, seq))
        if self._seek(self._reader, seq):
            return seq
        return (self._reader.seq if self._reader.seq > seq else self._end_seq(self._sectors.find(seq))) - 1

    def release(self, next_seq: int) -> None:
        """The manager has committed everything below `next_seq`; costs one small program operation, and no erase."""
        if next_seq > self.head:
            raise ValueError("expected at most %d, got %d" % (self.head, next_seq))
        if next_seq <= self.released:
            return
        self.released = next_seq
        self._sectors.flag_released_below(next_seq)
        last = next_seq - 1
        if last >= self.tail and self._sectors.find(last) >= self._sectors.unflagged and self._seek(self._walker, last):
            self._walker.mark_released()

    def _end_seq(self, sector: int) -> int:
        return self.head if sector == self._sectors.newest else self._sectors.first_seq(sector + 1)

    def _enter(self, cursor: Cursor, sector: int) -> None:
        cursor.enter(sector, self._sectors.address(sector), self._sectors.first_seq(sector))

    def _seek(self, cursor: Cursor, seq: int) -> bool:
        """Bring `cursor` to record `seq` and load it; False leaves it behind the damage, or at the damage's start."""
        if not self.tail <= seq < self.head:
            return False
        sector = self._sectors.find(seq)
        if cursor.sector != sector or cursor.seq > seq:
            self._enter(cursor, sector)
        while cursor.seq <= seq:
            if cursor.load() != RECORD and not cursor.skip_damage(self._end_seq(sector)):
                return False
            if cursor.seq == seq:
                return True
            if cursor.seq < seq:
                cursor.advance()
        return False

    def _put(self, kind: int, payload: memoryview) -> int:
        if self._offset + layout.record_bytes(len(payload)) > layout.NOTE_AT:
            self._next_sector()
        layout.pack_record(self._record_head, self.log, self.head, kind, payload)
        address = self._sectors.address(self._sectors.newest) + self._offset
        self._flash.program(address, self._record_head)
        self._flash.program(address + layout.RECORD_HEAD_BYTES, payload)
        self._offset += layout.record_bytes(len(payload))
        self.head += 1
        return self.head - 1

    def _next_sector(self) -> None:
        if self._sectors.is_full():
            self._drop_oldest()
        self._sectors.start(self.head)
        self._offset = layout.SECTOR_HEAD_BYTES

    def _drop_oldest(self) -> None:
        first, end = self.tail, self._end_seq(self._sectors.oldest)
        first = max(first, self.released)
        if first < end:
            self._sectors.lost += end - first
            self._owe(first, end - 1)
            self._owe_nested()
            self._sectors.write_note(self._owed_first, self._owed_last)
        self._sectors.retire_oldest()

    def _owe(self, first: int, last: int) -> None:
        if self._owed_last == _NONE:
            self._owed_first, self._owed_last = first, last
        self._owed_first = min(self._owed_first, first)
        self._owed_last = max(self._owed_last, last)

    def _owe_nested(self) -> None:
        """Loss records that go with the oldest sector: their ranges go into the new one."""
        cursor = self._walker
        oldest = self._sectors.oldest
        self._enter(cursor, oldest)
        while cursor.seq < self._end_seq(oldest) and cursor.load() == RECORD:
            if cursor.kind == layout.LOSS and cursor.seq >= self.released:
                loss = self._loaded_loss()
                if loss:
                    self._owe(loss[0], loss[1])
            cursor.advance()

    def _loaded_loss(self) -> tuple:
        """(first, last) of the loss record that the walker has loaded, () when it is damaged."""
        payload = bytearray(self._walker.length)
        if not self._walker.read(memoryview(payload)):
            return ()
        try:
            fields = records.decode("loss", bytes(payload))
        except WireError:  # of a newer contract: its range stays unknown here, the manager has it or asks
            return ()
        return fields["first"], fields["last"]

    def _declare_owed(self) -> None:
        first = max(self._owed_first, self.released)
        if first <= self._owed_last:
            payload = records.encode_loss(self.log, self.head, first, self._owed_last, FULL)
            if self._offset + layout.record_bytes(len(payload)) > layout.NOTE_AT:
                return  # never in a new sector; an old debt waits for the next append
            self._put(layout.LOSS, memoryview(payload))
        self._owed_first = self._owed_last = _NONE

    def _find_head(self) -> None:
        cursor = self._walker
        self._enter(cursor, self._sectors.newest)
        limit = cursor.seq + layout.SECTOR_BYTES
        self._offset = layout.NOTE_AT  # closed, unless the walk ends at blank flash without damage
        broken = self._sectors.is_damaged
        while True:
            found = cursor.load()
            if found == BLANK and not broken:
                self._offset = cursor.offset
                break
            if found == RECORD and cursor.holds():
                cursor.advance()
                continue
            broken = True
            if found == BLANK or not cursor.skip_damage(limit):
                break
            cursor.advance()
        self.head = cursor.seq

    def _find_released(self) -> None:
        cursor = self._walker
        sector = self._sectors.unflagged
        # Without any mark nothing is known: the sectors before the oldest may have been dropped unreleased.
        self.released = self._sectors.first_seq(sector) if sector > self._sectors.oldest else 0
        self._enter(cursor, sector)
        end = self._end_seq(sector)
        while cursor.seq < end:
            if cursor.load() != RECORD and not cursor.skip_damage(end):
                break
            if cursor.state == 0:
                self.released = cursor.seq + 1
            cursor.advance()

    def _find_owed(self) -> None:
        """A cut between a drop and its loss record leaves a note that no loss record answers."""
        newest = self._sectors.newest
        for sector in range(max(self._sectors.oldest, newest - 1), newest + 1):
            note = self._sectors.read_note(sector)
            if note and not self._answered(note):
                self._owe(note[0], note[1])

    def _answered(self, note: tuple) -> bool:
        cursor = self._walker
        newest = self._sectors.newest
        for sector in range(max(self._sectors.oldest, newest - 1), newest + 1):
            self._enter(cursor, sector)
            while cursor.seq < self._end_seq(sector) and cursor.load() == RECORD:
                if cursor.kind == layout.LOSS:
                    loss = self._loaded_loss()
                    if loss and loss[0] <= max(note[0], self.released) and loss[1] >= note[1]:
                        return True
                cursor.advance()
        return False
