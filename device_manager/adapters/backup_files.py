"""A backup of a data directory in one encrypted file, made while everything runs.

    backup.tar
      key              an Ed25519 key in OpenSSH's format, encrypted under the passphrase (bcrypt)
      data.tar.gz.age  the data directory, encrypted to that key (age-encryption.org/v1)

So it can be opened without citynode: `age -d -i key data.tar.gz.age`, which asks for the passphrase.

A store on a server comes along as `postgres/`, see `store_dump`. Files of SQLite are copied by its online backup,
derived tables first: a copy of `citynode.db` that is newer than the others is right, the other way round it is not.
`manifest.json` inside names every file with its sum.
"""

import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyrage
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from device_manager.errors import StoreError, UsageError

DATABASES = ("operations.db", "series.db", "citynode.db")  # in this order, see the module
_LOCKS = {"serve.lock", "broker.lock", "web.lock"}
LEFT_OUT = {"broker.pid", "firmware", "bench"} | _LOCKS  # made anew, or of this machine only
_BROKER_ENDINGS = (".db", ".log", ".pid", ".1")  # of the broker's directory only the configuration is kept
MANIFEST = "manifest.json"
_KEY, _DATA = "key", "data.tar.gz.age"
_ROUNDS = 100  # of bcrypt: about a second


class Backup(NamedTuple):
    """What a backup holds: number of files, bytes before and after packing, and the manifest."""

    files: int
    data_bytes: int
    size_bytes: int
    manifest: dict[str, str]


def write(directory: Path, target: Path, passphrase: str, more: Callable[[Path], None] = lambda folder: None) -> Backup:
    """Write a backup of a data directory to `target`; it appears under its name when it is whole.

    `more` puts directories of further files into the folder that it is given.
    """
    if target.exists():
        raise UsageError(expected=f"no file {target}", got="one", todo="choose another name")
    key = ed25519.Ed25519PrivateKey.generate()
    working = target.with_name(target.name + ".new")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as folder:
        inner = Path(folder) / _DATA
        more(Path(folder))
        manifest, data_bytes = _pack(directory, Path(folder), inner, key)
        with tarfile.open(working, "w") as outer:
            _add(outer, _KEY, _closed_key(key, passphrase))
            outer.add(inner, _DATA)
    working.chmod(0o600)
    working.replace(target)
    return Backup(len(manifest), data_bytes, target.stat().st_size, manifest)


def restore(source: Path, directory: Path, passphrase: str) -> Backup:
    """Unpack a backup into a new or empty directory, every file checked by its sum; nothing stays when one is wrong."""
    if directory.exists() and any(directory.iterdir()):
        todo = "name another directory with --data, or empty it"
        raise UsageError(expected="a new or empty directory", got=f"files in {directory}", todo=todo)
    working = directory.with_name(directory.name + ".restoring")
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(mode=0o700, parents=True)
    try:
        manifest, data_bytes = _unpack(source, working, passphrase)
        if directory.exists():
            directory.rmdir()
        working.rename(directory)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return Backup(len(manifest), data_bytes, source.stat().st_size, manifest)


def check(source: Path, passphrase: str) -> Backup:
    """Read a whole backup, check every sum and both databases, and leave nothing behind."""
    with tempfile.TemporaryDirectory(dir=source.absolute().parent, prefix=".check-") as folder:
        target = Path(folder) / "data"
        found = restore(source, target, passphrase)
        for name in DATABASES:
            if (target / name).exists():
                check_database(target / name)
    return found


def check_database(path: Path) -> None:
    """Run SQLite's own check of a database; StoreError with its words when it finds anything."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as raw:
        words = [row[0] for row in raw.execute("PRAGMA integrity_check(5)")]
    if words != ["ok"]:
        raise StoreError(expected=f"{path} to be whole", got="; ".join(words)[:300], todo="restore a backup")


def _pack(directory: Path, folder: Path, inner: Path, key: ed25519.Ed25519PrivateKey) -> tuple[dict[str, str], int]:
    manifest: dict[str, str] = {}
    plain = folder / "data.tar.gz"
    total = 0
    with tarfile.open(plain, "w:gz", compresslevel=6) as tar:
        for name, path in _files(directory, folder):
            data_sum = _sum(path)
            tar.add(path, name, recursive=False)
            manifest[name] = data_sum
            total += path.stat().st_size
            if path.is_relative_to(folder):
                path.unlink()
        _add(tar, MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
    with plain.open("rb") as reader, inner.open("wb") as writer:
        pyrage.encrypt_io(reader, writer, [_recipient(key)])
    plain.unlink()
    return manifest, total


def _files(directory: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name in the backup, file): copies of the databases, then everything else that belongs into one."""
    for name in DATABASES:
        if (directory / name).exists():
            copy = folder / name
            with closing(sqlite3.connect(directory / name)) as source, closing(sqlite3.connect(copy)) as target:
                source.backup(target)
            yield name, copy
    yield from ((str(path.relative_to(folder)), path) for path in sorted(folder.glob("*/*")))
    for path in sorted(directory.rglob("*")):
        place = path.relative_to(directory)
        if path.is_file() and not path.is_symlink() and _belongs(place):
            yield str(place), path


def _belongs(name: Path) -> bool:
    first = name.parts[0]
    if first in LEFT_OUT or (len(name.parts) == 1 and name.suffix in (".log", ".tmp")):
        return False
    if any(name.name.startswith(database) for database in DATABASES) and len(name.parts) == 1:
        return False  # copied already, with what lies in their journals
    return not (first == "broker" and name.suffix in _BROKER_ENDINGS)


def _unpack(source: Path, working: Path, passphrase: str) -> tuple[dict[str, str], int]:
    with _opened(source, passphrase) as tar:
        tar.extractall(working, filter="data")
    for folder in (path for path in working.rglob("*") if path.is_dir()):
        folder.chmod(0o700)
    try:
        manifest: dict[str, str] = json.loads((working / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(expected=f"{MANIFEST} in {source}", got=str(error), todo="use another backup") from error
    (working / MANIFEST).unlink()
    total = 0
    for name, wanted in manifest.items():
        path = working / name
        if not path.is_file() or _sum(path) != wanted:
            got = "another one" if path.is_file() else "none"
            raise StoreError(expected=f"{name} with sum {wanted[:12]}", got=got, todo="use another backup")
        total += path.stat().st_size
    return manifest, total


@contextmanager
def _opened(source: Path, passphrase: str) -> Iterator[tarfile.TarFile]:
    """Open the inner archive of a backup; StoreError for a damaged file, UsageError for a wrong passphrase."""
    with tempfile.TemporaryFile(dir=source.absolute().parent) as plain:
        try:
            with tarfile.open(source) as outer:
                key, data = (outer.extractfile(name) for name in (_KEY, _DATA))
                assert key is not None and data is not None  # tarfile raises KeyError for what is missing
                pyrage.decrypt_io(data, plain, [_identity(key.read(), passphrase)])
            plain.seek(0)
            with tarfile.open(fileobj=plain, mode="r:gz") as inner:
                yield inner
        except (tarfile.TarError, KeyError, EOFError, OSError, pyrage.DecryptError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise StoreError(expected=f"a whole backup in {source}", got=str(error), todo="use another one") from error


def _recipient(key: ed25519.Ed25519PrivateKey) -> Any:
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return pyrage.ssh.Recipient.from_str(public.decode())


def _closed_key(key: ed25519.Ed25519PrivateKey, passphrase: str) -> bytes:
    builder = serialization.PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(_ROUNDS)
    encryption = builder.build(passphrase.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, encryption)


def _identity(closed: bytes, passphrase: str) -> Any:
    try:
        key = serialization.load_ssh_private_key(closed, passphrase.encode())
    except ValueError as error:
        todo = "enter the one that the backup was made with"
        raise UsageError(expected="the passphrase of this backup", got=str(error), todo=todo) from error
    none = serialization.NoEncryption()
    opened = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, none)
    return pyrage.ssh.Identity.from_buffer(opened)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o600
    tar.addfile(entry, io.BytesIO(data))


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
