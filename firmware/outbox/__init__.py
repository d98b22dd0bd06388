"""The outbox: a node's log records in a ring of flash, kept until the manager has committed them.

    outbox = Outbox(flash, random_u32)
    length = batch.encode_into(buf, outbox.log, outbox.head, epoch)
    outbox.append(FRAME, buf, length)
    ...
    found = outbox.read(seq, buf)  # (kind, length), or None
    outbox.release(watermark_next)

`layout` is the format on flash, `sectors` the ring of erase blocks, `cursor` a walk over the records of one sector,
`outbox` the log itself.
"""

from firmware.outbox.layout import CHANNELS, FRAME, KIND_NAMES, LOSS, MAX_PAYLOAD
from firmware.outbox.outbox import Outbox

__all__ = ("CHANNELS", "FRAME", "KIND_NAMES", "LOSS", "MAX_PAYLOAD", "Outbox")
