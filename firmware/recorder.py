"""From closed batches to numbered records in the outbox, and the open batch over a reset."""

from firmware.outbox import CHANNELS, FRAME, Outbox
from firmware.wire import WireError, cbor
from firmware.wire.batch import Batch, bytes_for


class Recorder:
    """Numbers closed batches into the outbox, and keeps their epoch (the channels record of this boot) in it.

    `describe()` returns the fields of that record, `rtc` is `firmware.hal.rtc.Rtc`.

    When the ring overflows before the manager has had the channels record, it is written again under a new number, so
    that every frame that survives can be read.
    """

    def __init__(self, outbox: Outbox, describe, batch: Batch, rtc) -> None:
        self._outbox = outbox
        self._describe = describe
        self._rtc = rtc
        self._buf = rtc.reserve(bytes_for(batch.channels, batch.capacity))
        self._epoch = 0
        if rtc.frame:
            self._take_back(rtc.frame)
        self._announce()

    def keep(self, batch: Batch) -> None:
        """Append a closed batch."""
        length = batch.encode_into(self._buf, self._outbox.log, self._outbox.head, self._epoch)
        self._outbox.append(FRAME, self._buf, length)
        if self._outbox.released <= self._epoch < self._outbox.tail:
            self._announce()

    def save(self, batch: Batch, note: bytes) -> None:
        """Keep the open batch and `note` where a reset leaves them; a batch that is too long stays out."""
        length = 0
        if batch.count:
            length = batch.encode_into(self._buf, self._outbox.log, self._outbox.head, self._epoch)
        self._rtc.keep(note, length)

    def _announce(self) -> None:
        from firmware.wire import records  # `start` forgets it again

        self._epoch = self._outbox.head
        payload = records.encode_channels(self._outbox.log, self._epoch, self._describe())
        self._outbox.append(CHANNELS, payload, len(payload))

    def _take_back(self, payload: bytes) -> None:
        """Append the frame that was open when the node was reset, unless it was closed after it had been saved."""
        from firmware.wire import records

        outbox = self._outbox
        try:
            _, log, seq = records.decode_head(payload)
        except WireError:  # of another firmware
            return
        if log != outbox.log or any(outbox.kind(i) == FRAME for i in range(max(seq, outbox.tail), outbox.head)):
            return
        payload = renumber(payload, outbox.head)
        outbox.append(FRAME, payload, len(payload))


def renumber(payload: bytes, seq: int) -> bytes:
    """A log record [version, log, seq, ...] under another number."""
    at = 2 + _uint_bytes(payload[2])
    head = bytearray(9)
    return payload[:at] + head[: cbor.put_head(head, 0, 0, seq)] + payload[at + _uint_bytes(payload[at]) :]


def _uint_bytes(first: int) -> int:
    """Length of a CBOR unsigned integer of at most 32 bits by its first byte."""
    return 1 if first < 24 else 1 + (1 << first - 24)
