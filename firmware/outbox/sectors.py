"""The ring of sectors: which are there, where their numbers start, how the ring moves on.

Keeps four bytes of RAM for each sector (the seq of its first record); everything else is read from flash. A sector's
records are those from its own first seq up to, not including, the next sector's: whatever else lies in it is ignored.

A header may rot. Then the sector is known by its place in the ring and by its records, which verify by themselves; this
holds for the newest sector too, so that no number is given twice.
"""

from array import array

from firmware.outbox import layout
from firmware.outbox.cursor import Cursor
from firmware.wire import const

MIN_SECTORS = 4
MAX_SECTORS = 2048  # 8 MiB, 8 kB of table
_PROBE_BYTES = const(4)
_BLANK = b"\xff" * _PROBE_BYTES
_BLANK_NOTE = b"\xff" * layout.NOTE_BYTES


class Sectors:
    """Sectors `oldest`..`newest` of log `log`; `newest` takes records. Call `open` first, then maybe `format`."""

    def __init__(self, flash) -> None:
        self.count = min(flash.size_bytes // layout.SECTOR_BYTES, MAX_SECTORS)
        if self.count < MIN_SECTORS:
            raise ValueError("expected a partition of %d blocks or more, got %d" % (MIN_SECTORS, self.count))
        self._flash = flash
        self._first = array("I", [0] * self.count)
        self._head = bytearray(layout.SECTOR_HEAD_BYTES)
        self._note = bytearray(layout.NOTE_BYTES)
        self.log = self.lost = 0
        self.oldest = 0
        self.newest = -1
        self.unflagged = 0  # the first sector that is not marked as released as a whole
        self.is_damaged = False  # the newest has lost its header: nothing is appended to it
        self._prepared = False  # the block of the next sector is erased

    def open(self) -> bool:
        """Find the log on the flash; False when there is none."""
        if not self._find_newest():
            return False
        while self._find_newer():
            self.is_damaged = True
        self.oldest = self.newest
        self.unflagged = 0
        for number in range(self.newest - 1, max(-1, self.newest - self.count), -1):
            self._adopt(number)
        self.unflagged = max(self.unflagged, self.oldest)
        return True

    def format(self, log: int) -> None:
        """Begin an empty log; whatever other headers the flash holds are made invalid (no erase, so it is quick)."""
        for block in range(self.count):
            probe = memoryview(self._head)[:_PROBE_BYTES]
            self._flash.read(block * layout.SECTOR_BYTES, probe)
            if probe != _BLANK:
                self._flash.program(block * layout.SECTOR_BYTES, layout.RETIRED)
        self.log, self.lost = log, 0
        self.oldest = self.unflagged = 0
        self.newest = -1
        self.start(0)

    def start(self, first_seq: int) -> None:
        """Open the next sector of the ring for records from `first_seq` on; its block's old sector must be retired."""
        number = self.newest + 1
        self.prepare()
        self._prepared = self.is_damaged = False
        layout.pack_sector(self._head, self.count, self.log, number, first_seq, self.lost)
        self._flash.program(self.address(number), self._head)
        self._first[number % self.count] = first_seq
        self.newest = number

    def prepare(self) -> None:
        """Erase the block of the next sector, whose old sector must be retired, unless that is done already.

        Not remembered over a restart: half an erase looks like a whole one, and its bits may turn.
        """
        if not self._prepared:
            self._flash.erase((self.newest + 1) % self.count)
            self._prepared = True

    def is_full(self) -> bool:
        """True when the next sector's block still holds the oldest one."""
        return self.newest - self.oldest + 1 >= self.count

    def retire_oldest(self) -> None:
        """Let go of the oldest sector and all its records."""
        self._flash.program(self.address(self.oldest), layout.RETIRED)
        self.oldest += 1
        self.unflagged = max(self.unflagged, self.oldest)

    def address(self, number: int) -> int:
        """Where sector `number` begins on the flash."""
        return number % self.count * layout.SECTOR_BYTES

    def first_seq(self, number: int) -> int:
        """Seq of the first record of sector `number`."""
        return self._first[number % self.count]

    def find(self, seq: int) -> int:
        """Number of the sector that has record `seq`, if it is not before the oldest."""
        low, high = self.oldest, self.newest
        while low < high:
            middle = (low + high + 1) // 2
            if self.first_seq(middle) <= seq:
                low = middle
            else:
                high = middle - 1
        return low

    def flag_released_below(self, next_seq: int) -> None:
        """Mark every closed sector whose records are all below `next_seq`."""
        while self.unflagged < self.newest and self.first_seq(self.unflagged + 1) <= next_seq:
            self._flash.program(self.address(self.unflagged) + layout.SECTOR_STATE_AT, layout.CLEARED)
            self.unflagged += 1

    def write_note(self, first: int, last: int) -> None:
        """Note in the newest sector that the next one costs records `first`..`last`."""
        for place in range(layout.NOTES):
            address = self._read_note_place(self.newest, place)
            if layout.unpack_note(self._note, self.log):
                return  # the same drop, begun before a power cut
            if self._note == _BLANK_NOTE:
                self._flash.program(address, layout.pack_note(self.log, first, last))
                return

    def read_note(self, number: int) -> tuple:
        """(first, last) of the note in sector `number`, or ()."""
        for place in range(layout.NOTES):
            self._read_note_place(number, place)
            note = layout.unpack_note(self._note, self.log)
            if note:
                return note
        return ()

    def _read_note_place(self, number: int, place: int) -> int:
        address = self.address(number) + layout.NOTE_AT + place * layout.NOTE_BYTES
        self._flash.read(address, self._note)
        return address

    def _read(self, block: int) -> tuple:
        self._flash.read(block * layout.SECTOR_BYTES, self._head)
        return layout.unpack_sector(self._head, self.count, block)

    def _find_newest(self) -> bool:
        self.newest = -1
        for block in range(self.count):
            found = self._read(block)
            if found and found[1] > self.newest:
                self.log, self.newest, self._first[block], self.lost, _ = found
        return self.newest >= 0

    def _find_newer(self) -> bool:
        """Take the sector behind the newest, when it has records of this log but no header."""
        number = self.newest + 1
        first = self.first_seq(self.newest)
        found = self._first_by_records(number, first, first + 2 * layout.SECTOR_BYTES)
        if found >= 0:
            self._first[number % self.count] = found
            self.newest = number
        return found >= 0

    def _first_by_records(self, number: int, first_seq: int, end_seq: int) -> int:
        """The number of the first whole record in a sector without header, -1 when there is none in that range."""
        probe = memoryview(self._head)[:_PROBE_BYTES]
        self._flash.read(self.address(number), probe)
        if probe == _BLANK or probe == layout.RETIRED:
            return -1
        cursor = Cursor(self._flash, self.log)
        return cursor.seq if cursor.find_first(number, self.address(number), first_seq, end_seq) else -1

    def _adopt(self, number: int) -> None:
        """Take an older sector into the table; one that cannot be read counts as empty, so that others stay found."""
        found = self._read(number % self.count)
        after = self.first_seq(number + 1)
        if found and found[0] == self.log and found[1] == number and found[2] <= after:
            self._first[number % self.count] = found[2]
            self.oldest = number
            if found[4]:
                self.unflagged = max(self.unflagged, number + 1)
        else:
            # The block of the next sector may be half erased: what is still in it is given up already.
            first = self._first_by_records(number, 0, after) if number > self.newest + 1 - self.count else -1
            self._first[number % self.count] = first if first >= 0 else after
            if first >= 0:
                self.oldest = number
