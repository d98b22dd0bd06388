"""Composition root of the open interfaces: stores of a data directory -> a `Twin`, with whatever it stands on."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.mosquitto import Mosquitto
from device_manager.adapters.store_accounts import SqlAccounts
from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_frames import SqlFrames
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.store_series import SqlSeries
from device_manager.adapters.store_twin import SqlTwinIds
from device_manager.archiving.policy import load as load_policy
from device_manager.audit import Audit
from device_manager.database import Database
from device_manager.settings import Settings
from device_manager.twin.accounting import Accounting
from device_manager.twin.admitting import Door
from device_manager.twin.knowing import Knowledge, Parts
from device_manager.twin.ports import Terms
from device_manager.twin.public import Grain
from device_manager.twin.service import Twin


@contextmanager
def open_twin(database: Database, terms: Terms | None = None) -> Iterator[Twin]:
    """Open the twin's side of a database."""
    with ExitStack() as stack:
        series = SqlSeries(database)
        stack.callback(series.close)
        frames = SqlFrames(database, series)
        stack.callback(frames.close)
        reader = SqlReader(database)
        stack.callback(reader.close)
        operations = Operations(database)
        stack.callback(operations.close)
        parts = Parts(reader, SqlTwinIds(operations), frames, series, Cbor2Codec().loads)
        yield Twin(Knowledge(parts, terms or Terms()))


def retention(directory: Path) -> str:
    """Return in words how long data are kept, by the policy of the data directory."""
    policy = load_policy(directory)
    if policy is None or not policy.keep_days:
        return Terms().retention
    forgotten = ", ".join(f"{name} after {days} days" for name, days in sorted(policy.keep_days.items()))
    return f"aggregates are kept without end, and so are records, but for {forgotten}"


@contextmanager
def door_of(settings: Settings) -> Iterator[Door]:
    """Open the door of the open interfaces: tokens, public grain and limits of a data directory."""
    with ExitStack() as stack:
        operations = Operations(settings.database)
        stack.callback(operations.close)
        reader = SqlReader(settings.database)
        stack.callback(reader.close)
        public = settings.public

        def site_ids() -> dict[str, int]:
            return {site.name: site.site_id for site in reader.sites()}

        grain = Grain(public.grain_minutes, public.smallest_count)
        yield Door(SqlAccounts(operations).all, grain, site_ids, public.requests_per_minute)


def auditing(operations: Operations) -> Audit:
    """Return the audit log of an operations database."""
    return Audit(SqlAudit(operations), SystemClock())


@contextmanager
def accounting(settings: Settings) -> Iterator[Accounting]:
    """Open the accounts of a data directory; the running broker follows every change."""
    with ExitStack() as stack:
        operations = Operations(settings.database)
        stack.callback(operations.close)
        reader = SqlReader(settings.database)
        stack.callback(reader.close)

        def follow() -> None:
            if settings.broker.tls and settings.broker.websocket_port:
                Mosquitto(settings).refresh()

        names = [site.name for site in reader.sites()]
        yield Accounting(SqlAccounts(operations), auditing(operations), names, follow)
