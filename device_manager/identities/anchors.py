"""The authorities of one fleet by file: the root, the issuer that signs in its place, and those of a roll-over.

    ca.crt, ca.key            the root; its key may be kept offline, only a new issuer or a roll-over needs it
    issuer.crt, issuer.key    signs certificates and the list of revoked ones; lies where the manager runs
    old-ca.*, old-issuer.*    in a roll-over: the ones before, still trusted, and the broker's certificate is theirs

A directory of an earlier version has no issuer: its root signs everything itself, until a roll-over gives it one.
"""

from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from device_manager.errors import SetupError
from device_manager.identities import certificates
from device_manager.identities.certificates import Identity
from device_manager.identities.files import write_private
from device_manager.identities.keys import FileKeys, KeyStore

ROOT_DAYS = 3650
ISSUER_DAYS = 1825


class Anchors(NamedTuple):
    """`root` without key; `old` is (root, issuer) before a roll-over, None when none is under way."""

    root: x509.Certificate
    issuer: Identity
    old: tuple[x509.Certificate, Identity] | None

    @property
    def shown(self) -> Identity:
        """Who signs what the broker shows: the issuer that every node trusts already."""
        return self.old[1] if self.old else self.issuer

    @property
    def issuers(self) -> list[Identity]:
        """Everybody whose certificates are accepted."""
        return [self.issuer, *([self.old[1]] if self.old else [])]

    @property
    def roots(self) -> list[x509.Certificate]:
        """What a node is to trust now, the newest first."""
        return [self.root, *([self.old[0]] if self.old else [])]

    def trusted_pem(self) -> bytes:
        """What the broker checks clients against: every root and issuer."""
        known = {certificate: None for certificate in self.roots}
        known |= dict.fromkeys(issuer.certificate for issuer in self.issuers)
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in known)


def make(directory: Path, now_s: float, keys: KeyStore | None = None) -> Identity:
    """Write a new root and issuer into `directory`; return the root."""
    keys = keys or FileKeys(directory)
    root = certificates.root(f"citynode CA {x509.random_serial_number() & 0xFFFFFFFF:08x}", now_s, ROOT_DAYS, below=1)
    keys.save("ca", root.key)
    issuer = certificates.intermediate(root, _issuer_name(root.certificate), now_s, ISSUER_DAYS)
    keys.save("issuer", issuer.key)
    _write(directory / "issuer.crt", issuer.certificate)
    _write(directory / "ca.crt", root.certificate)  # last: with it the authority counts
    return root


def read(directory: Path, keys: KeyStore | None = None) -> Anchors:
    """Read what `make` wrote; OSError or ValueError for what is missing or damaged."""
    keys = keys or FileKeys(directory)
    root, issuer = _pair(directory, keys, "")
    old = _pair(directory, keys, "old-") if (directory / "old-ca.crt").exists() else None
    return Anchors(root, issuer, old)


def sign_issuer_again(directory: Path, now_s: float, keys: KeyStore | None = None) -> x509.Certificate:
    """Give the issuer's key a certificate that ends later; needs the root's key. What it signed stays valid."""
    keys = keys or FileKeys(directory)
    root, issuer = _pair(directory, keys, "")
    if issuer.certificate == root:
        todo = "give it one by a roll-over: `citynode ca roll start`"
        raise SetupError(expected="an issuer below the root", got="a root that signs itself", todo=todo)
    signer = Identity(root, keys.load("ca"))
    made = certificates.intermediate(signer, _issuer_name(root), now_s, ISSUER_DAYS, issuer.key)
    _write(directory / "issuer.crt", made.certificate)
    return made.certificate


def take_offline(directory: Path, to: Path) -> list[Path]:
    """Move the root's key, and the spare key that signs orders, to `to`; return the new files."""
    _, issuer = _pair(directory, FileKeys(directory), "")
    names = [name for name in ("ca.key", "order-2.key") if (directory / name).exists()]
    if "ca.key" not in names or not (directory / "issuer.crt").exists() or (directory / "old-ca.crt").exists():
        got = "none" if "ca.key" not in names else "one that is needed here, for want of an issuer or in a roll-over"
        raise SetupError(expected="the root's key", got=got, todo="see `citynode ca status`")
    if any((to / name).exists() for name in names):
        raise SetupError(expected=f"no keys in {to}", got="some", todo="choose another directory")
    for name in names:
        write_private(to / name, (directory / name).read_bytes())
        if (to / name).read_bytes() != (directory / name).read_bytes():
            raise SetupError(expected=f"{to / name} as it was written", got="another", todo="use another medium")
    for name in names:
        (directory / name).unlink()
    return [to / name for name in names]


def end_s(certificate: x509.Certificate) -> float:
    """Return when a certificate ends, Unix s."""
    return certificate.not_valid_after_utc.timestamp()


def is_due(certificate: x509.Certificate, now_s: float) -> bool:
    """True after two thirds of a certificate's life."""
    start_s = certificate.not_valid_before_utc.timestamp()
    return now_s > end_s(certificate) - (end_s(certificate) - start_s) / 3


def begin_roll(directory: Path, now_s: float) -> None:
    """Put a new root and issuer beside the old ones; SetupError when a roll-over is under way already."""
    if (directory / "old-ca.crt").exists():
        raise SetupError(expected="no roll-over under way", got="one", todo="end it with `citynode ca roll finish`")
    for name in ("ca.key", "issuer.key", "issuer.crt", "ca.crt"):  # the root's certificate last: with it, it has begun
        if (directory / name).exists():
            write_private(directory / f"old-{name}", (directory / name).read_bytes())
    make(directory, now_s)


def end_roll(directory: Path) -> None:
    """Forget the old root and issuer."""
    for name in ("old-ca.crt", "old-issuer.crt", "old-issuer.key", "old-ca.key"):
        (directory / name).unlink(missing_ok=True)


def _pair(directory: Path, keys: KeyStore, prefix: str) -> tuple[x509.Certificate, Identity]:
    root = _load(directory / f"{prefix}ca.crt")
    name = f"{prefix}issuer" if (directory / f"{prefix}issuer.crt").exists() else f"{prefix}ca"
    issuer = Identity(_load(directory / f"{name}.crt"), keys.load(name))
    if issuer.certificate.public_key() != issuer.key.public_key():
        todo = "restore identities/ from a backup"
        raise SetupError(expected=f"{name}.crt and {name}.key of one pair", got="two of different", todo=todo)
    return root, issuer


def _issuer_name(root: x509.Certificate) -> str:
    return root.subject.rfc4514_string().removeprefix("CN=").replace("CA", "issuer")


def _load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _write(path: Path, certificate: x509.Certificate) -> None:
    write_private(path, certificate.public_bytes(Encoding.PEM))
