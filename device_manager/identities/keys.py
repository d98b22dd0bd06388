"""Where the authority's private keys lie: a small port, and files behind it.

The port asks for little, so that a hardware token fits: an object of PKCS#11 that derives from
`cryptography`'s EllipticCurvePrivateKey and knows `sign` and `public_key` can stand in for a key in a file.

A passphrase comes from CITYNODE_CA_PASSPHRASE, from the file that CITYNODE_CA_PASSPHRASE_FILE names, or is asked for
on a terminal; it is never an argument of a command, because everybody on a machine can read those.
"""

import os
import sys
from collections.abc import Callable, Mapping
from getpass import getpass
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from device_manager.errors import SetupError
from device_manager.identities.files import write_private

VARIABLE = "CITYNODE_CA_PASSPHRASE"
_TODO = f"set {VARIABLE} or {VARIABLE}_FILE"


class KeyStore(Protocol):
    """Keys of the authority by name: "ca" (the root), "issuer", and those of a roll-over with "next-" or "old-"."""

    def load(self, name: str) -> ec.EllipticCurvePrivateKey:
        """Return a key to sign with; SetupError when it is not there or does not open."""
        ...

    def save(self, name: str, key: ec.EllipticCurvePrivateKey) -> None:
        """Keep a new key."""
        ...


class FileKeys:
    """PKCS#8 PEM files, encrypted when there is a passphrase."""

    def __init__(self, directory: Path, passphrase: Callable[[], bytes | None] | None = None) -> None:
        """`passphrase` is asked when a key is written, and when one that is encrypted is read."""
        self._directory = directory
        self._passphrase = passphrase or find_passphrase

    def load(self, name: str) -> ec.EllipticCurvePrivateKey:
        """See `KeyStore.load`."""
        path = self._directory / f"{name}.key"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            todo = "bring it back from where it is kept offline, for as long as this command needs it"
            raise SetupError(expected=f"the key {path}", got="none", todo=todo) from None
        except OSError as error:
            todo = "run as the user who ran `citynode init`"
            raise SetupError(expected=f"to read {path}", got=str(error.strerror), todo=todo) from error
        return self._open(path, data)

    def save(self, name: str, key: ec.EllipticCurvePrivateKey) -> None:
        """See `KeyStore.save`."""
        write_private(self._directory / f"{name}.key", pem(key, self._passphrase()))

    def _open(self, path: Path, data: bytes) -> ec.EllipticCurvePrivateKey:
        encrypted = b"ENCRYPTED" in data
        passphrase = (self._passphrase() or ask()) if encrypted else None
        if encrypted and not passphrase:
            raise SetupError(expected=f"the passphrase of {path}", got="none", todo=_TODO)
        try:
            key = serialization.load_pem_private_key(data, passphrase)
        except (ValueError, TypeError) as error:
            todo = f"correct {VARIABLE}" if encrypted else "restore identities/ from a backup"
            raise SetupError(expected=f"a key that opens in {path}", got=str(error), todo=todo) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            todo = "restore identities/ from a backup"
            raise SetupError(expected=f"an EC key in {path}", got=type(key).__name__, todo=todo)
        return key


def find_passphrase(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """Return the passphrase that environment or file give, None when neither does; SetupError for an empty file."""
    if environment.get(VARIABLE):
        return environment[VARIABLE].encode()
    name = environment.get(VARIABLE + "_FILE")
    if not name:
        return None
    try:
        found = Path(name).read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise SetupError(
            expected=f"to read {name}", got=str(error.strerror), todo=f"correct {VARIABLE}_FILE"
        ) from error
    if not found:
        raise SetupError(expected=f"a passphrase in {name}", got="an empty file", todo=_TODO)
    return found


def ask() -> bytes | None:
    """Ask a person for the passphrase; None where nobody sits at a terminal."""
    return getpass("passphrase of the CA: ").encode() if sys.stdin.isatty() else None


def pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None) -> bytes:
    """Return a key as PKCS#8 PEM, encrypted when there is a passphrase."""
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
