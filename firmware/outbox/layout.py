"""The outbox's format on flash, version 1. All numbers little-endian.

The partition is a ring of sectors (erase blocks of 4096 bytes). Sector number n (counted from 0 for ever) lives in
block n modulo the number of sectors. Programming clears bits; whatever changes later is a byte that goes from 0xFF to
0x00.

    sector     0  header   32 bytes
              32  records, one after the other, each aligned to 4; a record never spans sectors
            4064  2 notes  16 bytes each

    header     0  u32  MAGIC; programmed to 0 before the block is erased, so that half an erase leaves no valid header
               4  u8   format version, 1
               5  u8   0xFF
               6  u16  number of sectors in the ring (another number: a foreign ring, numbers could repeat)
               8  u32  log id
              12  u32  sector number
              16  u32  seq of the first record in this sector
              20  u32  records lost in this log up to here
              24  u32  CRC-32 of bytes 0..23
              28  u8   0x00 when every record of the sector is released
              29       0xFF x 3

    record     0  u16  payload length, 1..MAX_PAYLOAD
               2  u8   kind, 1..254
               3  u8   0x00 when this record and all before it are released
               4  u32  seq
               8  u32  CRC-32 of bytes 0..2, 4..7 and the payload, started with the log id
              12       payload, then up to 3 bytes 0xFF

    note       0  u32  first  } "to open the next sector, records first..last were dropped unreleased": written before
               4  u32  last   } the erase, so that the loss record cannot be forgotten by a power cut; the second place
                                is for when a cut tore the first
               8  u32  CRC-32 of bytes 0..7, started with the log id
              12       0xFF x 4

Order of operations: note, magic of the victim to 0, erase, header, record header, payload, loss record. A cut between
any two, or in the middle of one, costs at most the record being written. A torn record closes its sector: bits that
were half programmed may read differently tomorrow, so nothing follows them.

The log id starts every CRC: what an earlier log left behind never verifies.
"""

import struct
from binascii import crc32

from firmware.wire import const

SECTOR_BYTES = 4096
SECTOR_HEAD_BYTES = 32
RECORD_HEAD_BYTES = 12
NOTE_AT = 4064
NOTE_BYTES = 16
NOTES = 2
MAX_PAYLOAD = 3800

FRAME, CHANNELS, LOSS = 1, 2, 3
KIND_NAMES = {FRAME: "frame", CHANNELS: "channels", LOSS: "loss"}  # the wire's names of records

MAGIC = 0x424F4E43  # "CNOB"
FORMAT_VERSION = 1
STATE_AT = 3  # of a record
SECTOR_STATE_AT = 28
CLEARED = b"\x00"
RETIRED = b"\x00\x00\x00\x00"
_SECTOR = "<IBBHIIII"
_SECTOR_CRC_AT = const(24)
_RECORD = "<HBBII"
_NOTE = "<III"


def record_bytes(length: int) -> int:
    """Bytes on flash of a record with `length` bytes of payload."""
    return RECORD_HEAD_BYTES + ((length + 3) & ~3)


def pack_sector(buf: bytearray, sectors: int, log: int, number: int, first_seq: int, lost: int) -> None:
    """Write a sector header into `buf` (32 bytes)."""
    struct.pack_into(_SECTOR, buf, 0, MAGIC, FORMAT_VERSION, 0xFF, sectors, log, number, first_seq, lost)
    struct.pack_into("<I", buf, _SECTOR_CRC_AT, crc32(memoryview(buf)[:_SECTOR_CRC_AT]))
    for i in range(SECTOR_STATE_AT, SECTOR_HEAD_BYTES):
        buf[i] = 0xFF


def unpack_sector(buf: bytearray, sectors: int, block: int) -> tuple:
    """Return (log, number, first_seq, lost, released) of the header read from `block`, or () when it is not ours."""
    magic, version, _, ring, log, number, first_seq, lost = struct.unpack_from(_SECTOR, buf, 0)
    crc = struct.unpack_from("<I", buf, _SECTOR_CRC_AT)[0]
    if magic != MAGIC or version != FORMAT_VERSION or ring != sectors or number % sectors != block:
        return ()
    if crc != crc32(memoryview(buf)[:_SECTOR_CRC_AT]):
        return ()
    return log, number, first_seq, lost, buf[SECTOR_STATE_AT] == 0


def pack_record(buf: bytearray, log: int, seq: int, kind: int, payload: memoryview) -> None:
    """Write the header of a record into `buf` (12 bytes)."""
    struct.pack_into(_RECORD, buf, 0, len(payload), kind, 0xFF, seq, 0)
    struct.pack_into("<I", buf, 8, crc32(payload, head_crc(buf, log)))


def head_crc(buf: bytearray, log: int) -> int:
    """CRC of the parts of a record's header that it covers; the payload continues it."""
    view = memoryview(buf)
    return crc32(view[4:8], crc32(view[:3], log))


def unpack_record(buf: bytearray) -> tuple:
    """Return (length, kind, state, seq, crc) of a record's header, whatever it holds."""
    return struct.unpack_from(_RECORD, buf, 0)


def pack_note(log: int, first: int, last: int) -> bytes:
    """Return the note that records `first`..`last` are being dropped."""
    ranges = struct.pack("<II", first, last)
    return ranges + struct.pack("<I", crc32(ranges, log))


def unpack_note(buf: bytearray, log: int) -> tuple:
    """Return (first, last), or () when `buf` (16 bytes) holds no note of this log."""
    first, last, crc = struct.unpack_from(_NOTE, buf, 0)
    return (first, last) if crc == crc32(memoryview(buf)[:8], log) else ()
