"""The contract: every byte that crosses a node's edge.

Pure code that runs unchanged on CPython and MicroPython; imports nothing of ours. The same words stand in
`contract.cddl` (payloads) and `asyncapi.yaml` (topics); golden vectors in `tests/contract` hold all of them together.

    topics      where a message goes
    records     what an outbox keeps: frame, channels, loss, all with the frozen head [version, log, seq, ...]
    frame       the columnar batch of readings
    messages    small maps: state, health, reply; desired, command, watermark, chunk
    cbor        a strict, bounded subset of RFC 8949
    quantities  what can be measured, generated from hardware/quantities.toml

VERSION stays 0 until sensing, delivery and updates are built; then it freezes as 1.
"""

VERSION = 0


class WireError(ValueError):
    """Bytes or fields that the contract does not allow; the text says what was expected and what came."""
