"""The keys that sign for nodes: two of RSA-3072 for orders (see `firmware.wire.orders`) and two for releases (see
`firmware.wire.releases`), trusted by nodes from day one.

order-1.key     signs; PEM, encrypted when the CA has a passphrase
order-2.key     the spare: bring it to where the root is kept; when the first is lost or stolen, put it in its place
orders.keys     both moduli, 384 bytes each: what a node gets
release-1.key release-2.key releases.keys    the same for releases; they may leave this machine, see `citynode key`
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from device_manager.errors import SetupError
from device_manager.identities.files import write_private
from device_manager.identities.keys import ask, find_passphrase
from firmware.wire import cose

_BITS = 8 * cose.KEY_BYTES
_SALT_BYTES = 32
KEY_ID_BYTES = 4


class SigningKeys:
    """The two keys of one fleet for one purpose, in the directory of its identities."""

    purpose = "order"

    def __init__(self, directory: Path, passphrase: Callable[[], bytes | None] | None = None) -> None:
        self._directory = directory
        self._passphrase = passphrase or find_passphrase

    @property
    def public_file(self) -> Path:
        """The file that a node gets."""
        return self._directory / f"{self.purpose}s.keys"

    def public(self) -> bytes:
        """Return the content of a node's file of trusted keys; the keys are made when there are none yet."""
        path = self.public_file
        if not path.exists():
            keys = [rsa.generate_private_key(65537, _BITS) for _ in range(2)]
            for number, key in enumerate(keys, 1):
                write_private(self.file(number), _pem(key, self._passphrase()))
            moduli = [key.public_key().public_numbers().n.to_bytes(cose.KEY_BYTES, "big") for key in keys]
            write_private(path, b"".join(moduli))  # last: with it the keys count
        return path.read_bytes()

    def moduli(self) -> list[bytes]:
        """Return the two keys that nodes trust."""
        public = self.public()
        return [public[at : at + cose.KEY_BYTES] for at in range(0, len(public), cose.KEY_BYTES)]

    def sign(self, payload: bytes, number: int = 1) -> bytes:
        """Return the signed message around a payload; SetupError when the key is not there or does not open."""
        self.public()
        return sign(self._load(self.file(number)), payload)

    def file(self, number: int) -> Path:
        """The file of private key 1 or 2."""
        return self._directory / f"{self.purpose}-{number}.key"

    def _load(self, path: Path) -> rsa.RSAPrivateKey:
        return load_key(path, self._passphrase)


class OrderKeys(SigningKeys):
    """The keys that sign orders; the running manager needs the first."""


class ReleaseKeys(SigningKeys):
    """The keys that sign releases and offers; nothing that runs needs them."""

    purpose = "release"


def load_key(path: Path, passphrase: Callable[[], bytes | None] = find_passphrase) -> rsa.RSAPrivateKey:
    """Return the key in a file; SetupError when it is not there, does not open, or is another kind of key."""
    try:
        data = path.read_bytes()
        secret = (passphrase() or ask()) if b"ENCRYPTED" in data else None
        key = serialization.load_pem_private_key(data, secret)
    except (OSError, ValueError, TypeError) as error:
        todo = (
            "correct the passphrase, bring the key back from where it is kept, or sign there with `citynode key sign`"
        )
        raise SetupError(expected=f"the key that signs, {path}", got=str(error), todo=todo) from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != _BITS:
        raise SetupError(expected=f"an RSA-3072 key in {path}", got="another", todo="restore a backup")
    return key


def sign(key: rsa.RSAPrivateKey, payload: bytes) -> bytes:
    """Return the COSE_Sign1 of a payload with PS256; the key's id tells people which key it was."""
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), _SALT_BYTES)
    signature = key.sign(cose.to_be_signed(payload), pss, hashes.SHA256())
    return cose.pack(payload, signature, key_id(key.public_key().public_numbers().n.to_bytes(cose.KEY_BYTES, "big")))


def key_id(modulus: bytes) -> bytes:
    """Return the first bytes of the SHA-256 of a key's modulus."""
    return sha256(modulus).digest()[:KEY_ID_BYTES]


def _pem(key: rsa.RSAPrivateKey, passphrase: bytes | None) -> bytes:
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
