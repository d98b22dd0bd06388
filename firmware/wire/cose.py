"""Verifying what was signed for a node: COSE_Sign1 (RFC 9052) with PS256 and RSA-3072 (RFC 8230), untagged.

    [protected {1: -37}, unprotected {4: key id}, payload, signature]

RSA, because three-argument pow runs in C on MicroPython: about 2 ms where Ed25519 takes 13. The exponent is 65537. A
key is its modulus: 384 bytes, big-endian; the key id is not needed, every trusted key is tried.

The salt has the length of the hash (32 bytes), as PS256 demands.
"""

from hashlib import sha256

from firmware.wire import WireError, cbor

KEY_BYTES = 384
MAX_BYTES = 4000
_EXPONENT = 65537
_PROTECTED = b"\xa1\x01\x38\x24"  # {1: -37}
_HASH = 32


def verify(message: bytes, keys) -> bytes:
    """Return the payload that one of `keys` has signed; WireError for anything else.

    `keys` is any iterable of moduli, 384 bytes each.
    """
    if len(message) > MAX_BYTES:
        raise WireError("expected a signed message of at most %d bytes, got %d" % (MAX_BYTES, len(message)))
    parts = cbor.decode(message)
    if not isinstance(parts, list) or len(parts) != 4 or parts[0] != _PROTECTED or not isinstance(parts[1], dict):
        raise WireError("expected COSE_Sign1 with PS256 and no other protected header")
    payload, signature = parts[2], parts[3]
    if not isinstance(payload, bytes) or not isinstance(signature, bytes) or len(signature) != KEY_BYTES:
        raise WireError("expected a payload and a signature of %d bytes" % KEY_BYTES)
    digest = sha256(to_be_signed(payload)).digest()
    for key in keys:
        if _is_signed(digest, signature, key):
            return payload
    raise WireError("expected the signature of a trusted key, got another one")


def to_be_signed(payload: bytes) -> bytes:
    """What the signature covers: Sig_structure without external data (RFC 9052, 4.4)."""
    return cbor.encode(["Signature1", _PROTECTED, b"", payload])


def pack(payload: bytes, signature: bytes, key_id: bytes) -> bytes:
    """Put a signed message together."""
    return cbor.encode([_PROTECTED, {4: key_id}, payload, signature])


def _is_signed(digest: bytes, signature: bytes, key: bytes) -> bool:
    """RSASSA-PSS-VERIFY with SHA-256, MGF1 of it, and a salt of 32 bytes (RFC 8017, 8.1.2 and 9.1.2)."""
    modulus, number = int.from_bytes(key, "big"), int.from_bytes(signature, "big")
    if len(key) != KEY_BYTES or number >= modulus:
        return False
    encoded = pow(number, _EXPONENT, modulus).to_bytes(KEY_BYTES, "big")
    at = KEY_BYTES - _HASH - 1
    if encoded[-1] != 0xBC or encoded[0] & 0x80:
        return False
    mask = _mask(encoded[at:-1], at)
    data = bytearray(at)
    for i in range(at):
        data[i] = encoded[i] ^ mask[i]
    data[0] &= 0x7F
    head = at - _HASH - 1
    if any(data[:head]) or data[head] != 1:
        return False
    return sha256(bytes(8) + digest + bytes(data[head + 1 :])).digest() == encoded[at:-1]


def _mask(seed: bytes, length: int) -> bytes:
    """MGF1 with SHA-256 (RFC 8017, B.2.1)."""
    out = bytearray()
    for counter in range((length + _HASH - 1) // _HASH):
        out.extend(sha256(seed + bytes((0, 0, 0, counter))).digest())
    return bytes(out[:length])
