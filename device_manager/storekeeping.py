"""Composition of what `citynode store` does to a data directory: archive, backup, restore, check."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.store_archive import SqlArchive
from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_months import SqlMonths
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_reader import SqlReader
from device_manager.archiving import policy as policies
from device_manager.archiving.service import Archiving, Said, Step
from device_manager.audit import Audit
from device_manager.errors import SetupError
from device_manager.scopes import Scope
from device_manager.settings import Settings


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
        months = SqlMonths(settings.database, reader, SqlArchive(operations), policy.archive)
        stack.callback(months.close)
        yield Archiving(months, policy, Audit(SqlAudit(operations), SystemClock()))


def archive(settings: Settings, scope: Scope, said: Said, *, dry_run: bool = False) -> list[Step]:
    """Do what the policy says, or only say it; return the steps."""
    with open_archiving(settings) as archiving:
        now_s = int(time.time())
        return archiving.plan(now_s) if dry_run else archiving.run(now_s, scope=scope, said=said)
