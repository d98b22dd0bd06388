# mypy: ignore-errors
# Viper types are not Python types; golden vectors on both interpreters check this file instead.
"""The hot path of the frame encoder: heads, and columns of scaled integers to CBOR differences.

One source for both interpreters: viper machine code on a node, plain Python on a host. Everything stays inside 32 bits
(viper integers are 32 bits wide on an ESP32 and 64 on a PC): a stored value is biased by BIAS, so that a cell lies in
1..2**30-1, is a small integer on every port and never negative, and a difference lies within +-2**30.
"""

try:
    import micropython
except ImportError:

    class micropython:  # the viper names, for CPython
        @staticmethod
        def viper(function):
            return function

    def ptr8(memory):
        return memory

    ptr32 = ptr8
    uint = int

BIAS = 1 << 29  # of a stored cell; 0 is a missing value


@micropython.viper
def put_head32(buf: ptr8, at: int, major: int, number: uint) -> int:
    """Write the shortest CBOR head of `major` << 5 and a number of at most 32 bits at `at`; return the end."""
    n = int(number)  # its sign is bit 31 on an ESP32, so the size is asked of the upper half first
    high = (n >> 16) & 0xFFFF
    if high:
        buf[at] = major | 26
        buf[at + 1] = high >> 8
        buf[at + 2] = high & 255
        buf[at + 3] = (n >> 8) & 255
        buf[at + 4] = n & 255
        return at + 5
    if n > 255:
        buf[at] = major | 25
        buf[at + 1] = n >> 8
        buf[at + 2] = n & 255
        return at + 3
    if n > 23:
        buf[at] = major | 24
        buf[at + 1] = n
        return at + 2
    buf[at] = major | n
    return at + 1


@micropython.viper
def pack_differences(buf: ptr8, at: int, cells: ptr32, columns: int, count: int, stride: int) -> int:
    """Write `columns * count` CBOR integers (or null) at `at` and return the end.

    `cells`: array('I'), column c record i at c * stride + i, each value + BIAS or 0 where missing. Each number is the
    difference to the last present value before it, through all columns; the first to 0. The caller makes sure that
    5 bytes a value fit.
    """
    last = 536870912  # BIAS, as a literal: viper has no cheap globals
    for column in range(columns):
        cell = column * stride
        end = cell + count
        while cell < end:
            value = cells[cell]
            cell += 1
            if value == 0:
                buf[at] = 0xF6
                at += 1
                continue
            difference = value - last
            last = value
            major = 0
            if difference < 0:
                major = 0x20
                difference = -1 - difference
            if difference < 24:
                buf[at] = major | difference
                at += 1
            elif difference < 256:
                buf[at] = major | 24
                buf[at + 1] = difference
                at += 2
            elif difference < 65536:
                buf[at] = major | 25
                buf[at + 1] = difference >> 8
                buf[at + 2] = difference & 255
                at += 3
            else:
                buf[at] = major | 26
                buf[at + 1] = difference >> 24
                buf[at + 2] = (difference >> 16) & 255
                buf[at + 3] = (difference >> 8) & 255
                buf[at + 4] = difference & 255
                at += 5
    return at
