"""Quality flags of a reading: a bit set; 0 means nothing is known against the value.

A missing value (null in the frame) may carry flags that say why. Unknown bits of newer nodes are kept as they are.
"""

WARM_UP = 1  # the sensor says, or its datasheet says, that it has not settled
OUT_OF_RANGE = 2  # outside what the sensor can measure; the value may be missing
STUCK = 4  # the sensor repeats itself without having measured anew
FAULT = 8  # the sensor reports a fault or does not answer
UNSYNCED = 16  # the clock was not synchronised since boot
MAINTENANCE = 32  # a technician works at the node

NAMES = "warm-up,out of range,stuck,sensor fault,clock unsynced,maintenance"  # of bits 0, 1, 2, ..


def names(flags: int) -> list:
    """Return the names of the set bits; bits without a name appear as 'bit N'."""
    known = [name for bit, name in enumerate(NAMES.split(",")) if flags >> bit & 1]
    rest = flags & ~63
    return known + ["bit %d" % i for i in range(6, 31) if rest >> i & 1]
