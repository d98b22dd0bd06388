"""Composition of what `citynode store` does to a data directory: archive, pack, backup, restore, check."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from device_manager import settings as settings_file
from device_manager.adapters import archive_parquet, backup_files
from device_manager.adapters import store_packing as packing
from device_manager.adapters.backup_files import Backup
from device_manager.adapters.clock import SystemClock
from device_manager.adapters.store_archive import SqlArchive
from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_months import SqlMonths
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_packing import Packed
from device_manager.adapters.store_reader import SqlReader
from device_manager.archiving import policy as policies
from device_manager.archiving.service import Archiving, Said, Step
from device_manager.audit import Audit
from device_manager.database import ServerDatabase, parse
from device_manager.errors import SetupError, StoreError, UsageError
from device_manager.scopes import ADMIN, Scope
from device_manager.settings import Settings
from firmware.wire import frame

__all__ = ["Backup", "archive", "backup", "check", "check_backup", "daily", "open_archiving", "pack", "restore"]


@contextmanager
def open_archiving(settings: Settings) -> Iterator[Archiving]:
    """Open the archiving of a data directory; SetupError when it has no policy."""
    policy = policies.load(settings.directory)
    if policy is None:
        where = settings.directory / policies.FILE_NAME
        todo = "write one; device_manager/README.md explains it"
        raise SetupError(expected=f"a policy in {where}", got="no file", todo=todo)
    with ExitStack() as stack:
        reader = SqlReader(settings.database)
        stack.callback(reader.close)
        operations = Operations(settings.database)
        stack.callback(operations.close)
        address = archive_parquet.place(policy.archive, settings.directory)
        months = SqlMonths(settings.database, reader, SqlArchive(operations), address)
        stack.callback(months.close)
        yield Archiving(months, policy, Audit(SqlAudit(operations), SystemClock()))


def archive(settings: Settings, scope: Scope, said: Said, *, dry_run: bool = False) -> list[Step]:
    """Do what the policy says, or only say it; return the steps."""
    with open_archiving(settings) as archiving:
        now_s = int(time.time())
        return archiving.plan(now_s) if dry_run else archiving.run(now_s, scope=scope, said=said)


def pack(settings: Settings, scope: Scope, said: Said) -> list[Packed]:
    """Pack the indices of a store on a server; SetupError for one in a file, which needs no packing."""
    scope.require(ADMIN, "pack the store")
    if not isinstance(settings.database, ServerDatabase):
        todo = "leave it: an SQLite store has nothing to pack"
        raise SetupError(expected="a store in PostgreSQL", got="SQLite", todo=todo)
    done = []
    for packed in packing.pack(settings.database):
        done.append(packed)
        said(f"{packed.name}: {packed.before / 1e6:.1f} MB, now {packed.after / 1e6:.1f} MB")
    return done


def daily(settings: Settings, scope: Scope, said: Said) -> tuple[list[Packed], list[Step]]:
    """Do what is due once a day, as far as there is any of it: pack a store on a server, archive by the policy."""
    scope.require(ADMIN, "keep the store")
    packed, steps = [], []
    if isinstance(settings.database, ServerDatabase):
        packed = pack(settings, scope, said)
    else:
        said("nothing to pack: the store is SQLite")
    if policies.load(settings.directory):
        steps = archive(settings, scope, said)
    else:
        said(f"nothing to archive: there is no {policies.FILE_NAME}")
    return packed, steps


def backup(settings: Settings, target: Path, passphrase: str, scope: Scope) -> Backup:
    """Write an encrypted backup of a data directory, beside a running manager or not."""
    scope.require(ADMIN, "make a backup, which holds all keys")
    database = settings.database
    more = _dumped(database) if isinstance(database, ServerDatabase) else _nothing
    made = backup_files.write(settings.directory, target.absolute(), passphrase, more)
    with closing(Operations(settings.database)) as operations:
        audit = Audit(SqlAudit(operations), SystemClock())
        audit.record(scope, "store.backup", target.name, after={"files": made.files, "bytes": made.size_bytes})
    return made


def _dumped(server: ServerDatabase) -> Callable[[Path], None]:
    from device_manager.adapters.store_dump import FOLDER, dump

    return lambda folder: dump(server, folder / FOLDER)


def _nothing(folder: Path) -> None:
    return


def restore(source: Path, directory: Path, passphrase: str, url: str = "") -> Backup:
    """Unpack a backup into a new data directory; one of a server's database goes into the empty one of `url`."""
    made = backup_files.restore(source.absolute(), directory, passphrase)
    try:
        _restore_server(directory, url)
    except BaseException:  # half a fleet would look like one
        shutil.rmtree(directory)
        raise
    return made


def _restore_server(directory: Path, url: str) -> None:
    dumped = directory / "postgres"
    if dumped.exists() != bool(url):
        expected = "the URL of an empty database" if dumped.exists() else "no URL: this backup's store is SQLite"
        todo = "call it with --database postgresql://.." if dumped.exists() else "leave --database out"
        raise UsageError(expected=expected, got=url or "none", todo=todo)
    if not url:
        return
    from device_manager.adapters.store_dump import load

    load(dumped, parse(url))
    shutil.rmtree(dumped)
    settings_file.save(replace(settings_file.load(directory), store_url=url))


def check_backup(source: Path, passphrase: str) -> Backup:
    """Read a whole backup; StoreError names what is damaged."""
    return backup_files.check(source.absolute(), passphrase)


def check(settings: Settings, said: Said) -> None:
    """Check databases and archive of a data directory; StoreError names the first that is damaged."""
    for name in backup_files.DATABASES:
        path = settings.directory / name
        if path.exists():
            backup_files.check_database(path)
            said(f"{name} is whole")
    with closing(Operations(settings.database)) as operations:
        for file in SqlArchive(operations).files():
            archive_parquet.verify(file.address, file.sha256)
            said(f"{file.month}: {file.rows} frames in the archive are whole")
    with closing(SqlReader(settings.database)) as reader:
        said(f"{_check_records(reader)} records can be read")


def _check_records(reader: SqlReader) -> int:
    """Read every record and return how many there are; StoreError names the first that is in no log of its node."""
    owners, count = reader.owners(), 0
    for record in reader.records():
        if owners.get(record.log_id) != record.node_id:
            got = f"record {record.number} in log {record.log_id} of node {record.node_id}"
            todo = "restore a backup; something else than citynode has written there"
            raise StoreError(expected="every record in a log of its node", got=got, todo=todo)
        if record.kind == "frame":
            frame.decode(record.payload)
        count += 1
    return count
