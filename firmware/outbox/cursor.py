"""A walk over the records of one sector, in the order of their numbers.

    cursor.enter(sector, address, first_seq)
    while cursor.load() == RECORD:
        ...cursor.seq, .kind, .length, .state...
        cursor.advance()

Holds one header and nothing else; payloads are read into the caller's buffer or checked piece by piece.
"""

from binascii import crc32

from firmware.outbox import layout
from firmware.wire import const

RECORD, BLANK, BROKEN = 1, 2, 3
_PIECE_BYTES = const(128)
_BLANK_HEAD = b"\xff" * layout.RECORD_HEAD_BYTES


class Cursor:
    """Position in a sector: the record numbered `seq` is at `offset`, if it is there at all."""

    def __init__(self, flash, log: int) -> None:
        self._flash = flash
        self._log = log
        self._head = bytearray(layout.RECORD_HEAD_BYTES)
        self._piece = bytearray(_PIECE_BYTES)
        self._address = self.offset = self.seq = 0
        self.sector = -1
        self.length = self.kind = self.state = self._crc = 0

    def enter(self, sector: int, address: int, first_seq: int) -> None:
        """Go to the first record of the sector that starts at `address` of the flash."""
        self.sector = sector
        self._address = address
        self.offset = layout.SECTOR_HEAD_BYTES
        self.seq = first_seq

    def load(self) -> int:
        """Read the header here: RECORD (fields are set), BLANK (nothing was written) or BROKEN."""
        if self.offset + layout.RECORD_HEAD_BYTES > layout.NOTE_AT:
            return BLANK
        self._flash.read(self._address + self.offset, self._head)
        if self._head == _BLANK_HEAD:
            return BLANK
        self.length, self.kind, self.state, seq, self._crc = layout.unpack_record(self._head)
        return RECORD if seq == self.seq and self._fits() else BROKEN

    def advance(self) -> None:
        """Go to the record after the one that `load` found."""
        self.offset += layout.record_bytes(self.length)
        self.seq += 1

    def read(self, buf: memoryview) -> bool:
        """Read the loaded record's payload into `buf`, exactly `length` bytes; True when its checksum holds."""
        self._flash.read(self._address + self.offset + layout.RECORD_HEAD_BYTES, buf)
        return crc32(buf, layout.head_crc(self._head, self._log)) == self._crc

    def holds(self) -> bool:
        """True when the checksum of the loaded record holds."""
        crc = layout.head_crc(self._head, self._log)
        at = self._address + self.offset + layout.RECORD_HEAD_BYTES
        rest = self.length
        while rest:
            piece = memoryview(self._piece)[: min(rest, _PIECE_BYTES)]
            self._flash.read(at, piece)
            crc = crc32(piece, crc)
            at += len(piece)
            rest -= len(piece)
        return crc == self._crc

    def mark_released(self) -> None:
        """Clear the state of the record that is loaded."""
        self._flash.program(self._address + self.offset + layout.STATE_AT, layout.CLEARED)

    def skip_damage(self, end_seq: int) -> bool:
        """Go to the next whole record before `end_seq` behind a broken one; False (and no move) when there is none.

        The length of a broken record is unknown, so every aligned place is tried.
        """
        start, seq = self.offset, self.seq
        self.offset += 4
        if self._scan(seq, end_seq):
            return True
        self.offset, self.seq = start, seq
        return False

    def find_first(self, sector: int, address: int, first_seq: int, end_seq: int) -> bool:
        """Go to the first whole record of a sector without header, if it is one of `first_seq`..`end_seq`-1."""
        self.enter(sector, address, first_seq)
        return self._scan(first_seq, end_seq)

    def _scan(self, first_seq: int, end_seq: int) -> bool:
        while self.offset + layout.RECORD_HEAD_BYTES < layout.NOTE_AT:
            self._flash.read(self._address + self.offset, self._head)
            self.length, self.kind, self.state, self.seq, self._crc = layout.unpack_record(self._head)
            if first_seq <= self.seq < end_seq and self._fits() and self.holds():
                return True
            self.offset += 4
        return False

    def _fits(self) -> bool:
        end = self.offset + layout.record_bytes(self.length)
        return 0 < self.length <= layout.MAX_PAYLOAD and 0 < self.kind < 0xFF and end <= layout.NOTE_AT
