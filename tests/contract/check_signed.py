"""Check signed messages that another library made, and ones that nobody signed; runs on CPython and on MicroPython.

`python check_signed.py signed.json` prints one line a failure and, last, how many were checked.
"""

import json
import sys
from binascii import unhexlify

from firmware.wire import WireError, cbor, cose


def is_refused(message: bytes, keys: list) -> bool:
    try:
        cose.verify(message, keys)
    except WireError:
        return True
    return False


def spoiled(message: bytes) -> list:
    """Messages that must be refused, made from a good one."""
    protected, unprotected, payload, signature = cbor.decode(message)
    flipped = bytes([payload[0] ^ 1]) + payload[1:]
    parts = [
        [protected, unprotected, flipped, signature],
        [b"\xa1\x01\x26", unprotected, payload, signature],  # ES256
        [protected, unprotected, payload, bytes(384)],
        [protected, unprotected, payload, b"\xff" * 384],
        [protected, unprotected, payload, signature[:-1]],
        [protected, unprotected, payload, signature[:-1] + bytes([signature[-1] ^ 1])],
        [protected, unprotected, payload],
        [b"", unprotected, payload, signature],
    ]
    cut = [message[:at] for at in range(0, len(message), 61)]
    return [cbor.encode(part) for part in parts] + cut + [bytes(5000), message + b"\0"]


def main(path: str) -> None:
    with open(path) as file:
        found = json.load(file)
    keys = [unhexlify(key) for key in found["keys"]]
    checked = 0
    for row in found["signed"]:
        message, payload = unhexlify(row["signed"]), unhexlify(row["payload"])
        if cose.verify(message, keys) != payload:
            print("wrong payload", row["payload"][:40])
        if not is_refused(message, [keys[1 - row["key"]]]) or not is_refused(message, []):
            print("taken without its key", row["payload"][:40])
        for i, wrong in enumerate(spoiled(message)):
            if not is_refused(wrong, keys):
                print("taken though spoiled", i, row["payload"][:40])
        checked += 1
    print(checked)


if __name__ == "__main__":
    main(sys.argv[1])
