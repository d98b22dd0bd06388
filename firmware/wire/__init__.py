"""The contract: every byte that crosses a node's edge.

Pure code that runs unchanged on CPython and MicroPython; imports nothing of ours. The same words stand in
`contract.cddl` (payloads) and `asyncapi.yaml` (topics); golden vectors in `tests/contract` hold all of them together.

    topics      where a message goes
    records     what an outbox keeps: frame, channels, loss, all with the frozen head [version, log, seq, ...]
    frame       the columnar batch of readings
    messages    small maps: state, health, reply, want, update; desired, command, watermark, chunk, order, offer
    cose        signatures that a node can check; orders, releases: what must be signed
    releases    root and offer of a release, its directories, the words of an update; bundle: how a tree travels
    cbor        a strict, bounded subset of RFC 8949
    quantities  what can be measured, generated from hardware/quantities.toml

VERSION stays 0 until sensing, delivery and updates are built; then it freezes as 1.
"""

VERSION = 0


class WireError(ValueError):
    """Bytes or fields that the contract does not allow; the text says what was expected and what came."""


def const(value: int) -> int:
    """Return `value`; MicroPython's compiler puts a number that is written so in place of its private name.

    That saves the name, its entry in the module and the search for it: `_LIMIT = const(5)`. micropython.const does the
    same, but CPython, on which the pure parts are tested too, has none.
    """
    return value
