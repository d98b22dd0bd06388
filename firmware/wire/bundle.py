"""How a tree travels: what a node lacks of it, in one raw deflate stream (RFC 1951) with a window of 4 kB.

The stream holds objects without names. A node that walks the tree knows which comes next: the text of a directory,
then, entry by entry in its order, each file and each directory whose sum the node does not have under the same path in
the tree that it comes from. What is the same there is copied and not sent. Numbers are varints: 7 bits a byte, lowest
first, the highest bit says that more follow.

    object   varint (size << 1 | is patch), then size bytes, or a patch that gives size bytes
    patch    steps until size bytes are there, made from the file of the same path (none: empty):
             varint (n << 1), then n bytes              these bytes
             varint (n << 1 | 1), varint z              n bytes of the old file; they begin where the last step of
                                                        this kind ended, plus z >> 1, or minus (z >> 1) + 1 if z is odd

Nothing here is trusted: sizes are bounded before anything is read, and every object must have the sum that its
directory, or the signed root, names.
"""

from firmware.wire import WireError

WINDOW_BITS = 12
BLOCK_BYTES = 512


def put_varint(out: bytearray, number: int) -> None:
    """Append a varint."""
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def read_varint(stream) -> int:
    """Read a varint of at most 28 bits; WireError at the end of the stream."""
    number = 0
    for shift in (0, 7, 14, 21):
        byte = stream.read(1)
        if not byte:
            raise WireError("expected more of the bundle, got its end")
        number |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return number
    raise WireError("expected a number of at most 28 bits in the bundle")


def read_object(stream, old, most: int):
    """Yield an object in pieces of at most BLOCK_BYTES; WireError when it is longer than `most` or cannot be made.

    `old` is an open file for patches, or None.
    """
    head = read_varint(stream)
    left, is_patch = head >> 1, head & 1
    if left > most:
        raise WireError("expected at most %d bytes, got %d" % (most, left))
    at = 0
    while left:
        count, source = left, stream
        if is_patch:
            step = read_varint(stream)
            count = step >> 1
            if step & 1:
                offset = read_varint(stream)
                at += -(offset >> 1) - 1 if offset & 1 else offset >> 1
                source = _seek(old, at)
                at += count
            if not 0 < count <= left:
                raise WireError("expected a step of 1 to %d bytes in a patch, got %d" % (left, count))
        left -= count
        for piece in _pieces(source, count):
            yield piece


def _seek(old, at: int):
    if old is None or at < 0:
        raise WireError("expected a patch of a file that is there")
    old.seek(at)
    return old


def _pieces(source, count: int):
    while count:
        piece = source.read(min(count, BLOCK_BYTES))
        if not piece:
            raise WireError("expected %d more bytes of the bundle, got its end" % count)
        count -= len(piece)
        yield piece
