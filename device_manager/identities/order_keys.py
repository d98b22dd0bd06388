"""The keys that sign orders to nodes (see `firmware.wire.orders`): two of RSA-3072, trusted by nodes from day one.

order-1.key   signs; PEM, encrypted when the CA has a passphrase
order-2.key   the spare: bring it to where the root is kept; when the first is lost or stolen, put it in its place
orders.keys   both moduli, 384 bytes each: what a node gets
"""

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from device_manager.errors import SetupError
from device_manager.identities.files import write_private
from device_manager.identities.keys import ask, find_passphrase
from firmware.wire import cose

_BITS = 8 * cose.KEY_BYTES
_SALT_BYTES = 32


class OrderKeys:
    """The two keys of one fleet, in the directory of its identities."""

    def __init__(self, directory: Path, passphrase: Callable[[], bytes | None] | None = None) -> None:
        self._directory = directory
        self._passphrase = passphrase or find_passphrase

    def public(self) -> bytes:
        """Return the file `orders.keys` of a node; the keys are made when there are none yet."""
        path = self._directory / "orders.keys"
        if not path.exists():
            keys = [rsa.generate_private_key(65537, _BITS) for _ in range(2)]
            for number, key in enumerate(keys, 1):
                write_private(self._file(number), _pem(key, self._passphrase()))
            moduli = [key.public_key().public_numbers().n.to_bytes(cose.KEY_BYTES, "big") for key in keys]
            write_private(path, b"".join(moduli))  # last: with it the keys count
        return path.read_bytes()

    def sign(self, payload: bytes) -> bytes:
        """Return the signed message around a payload; SetupError when the key is not there or does not open."""
        self.public()
        key = self._load(self._file(1))
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), _SALT_BYTES)
        return cose.pack(payload, key.sign(cose.to_be_signed(payload), pss, hashes.SHA256()), b"")

    def _file(self, number: int) -> Path:
        return self._directory / f"order-{number}.key"

    def _load(self, path: Path) -> rsa.RSAPrivateKey:
        try:
            data = path.read_bytes()
            passphrase = (self._passphrase() or ask()) if b"ENCRYPTED" in data else None
            key = serialization.load_pem_private_key(data, passphrase)
        except (OSError, ValueError, TypeError) as error:
            todo = "correct the passphrase, or restore identities/ from a backup"
            raise SetupError(expected=f"the key that signs orders, {path}", got=str(error), todo=todo) from error
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != _BITS:
            raise SetupError(expected=f"an RSA-3072 key in {path}", got="another", todo="restore a backup")
        return key


def _pem(key: rsa.RSAPrivateKey, passphrase: bytes | None) -> bytes:
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
