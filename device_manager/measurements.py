"""Composition root of commands and pages about series: what a data directory has measured, and what people say of it.

    with open_measurements(settings.load(directory)) as found:
        found.charting.series("rathausplatz", "pm2_5", "1h", since_s, until_s)

Beside a running manager or not: whoever asks first brings numbers and roll-ups up to date.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_decisions import SqlDecisions
from device_manager.adapters.store_frames import SqlFrames
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.store_register import SqlRegister
from device_manager.adapters.store_series import SqlSeries
from device_manager.audit import Audit
from device_manager.charting import Charting
from device_manager.judging import Judging
from device_manager.registry import Registry
from device_manager.series.archive import Archive
from device_manager.series.feed import Feed
from device_manager.series.keeping import Keeper
from device_manager.settings import Settings


@dataclass(frozen=True)
class Measurements:
    """What commands work with; not for two threads at once."""

    registry: Registry
    archive: Archive
    feed: Feed
    keeper: Keeper
    charting: Charting
    judging: Judging


@contextmanager
def open_measurements(settings: Settings) -> Iterator[Measurements]:
    """Open frames, derived tables and decisions of a data directory."""
    loads = Cbor2Codec().loads
    with ExitStack() as stack:
        reader = SqlReader(settings.database)
        stack.callback(reader.close)
        register = SqlRegister(settings.database, reader)
        stack.callback(register.close)
        series = SqlSeries(settings.database)
        stack.callback(series.close)
        frames = SqlFrames(settings.database, series)
        stack.callback(frames.close)
        decisions = SqlDecisions(settings.database)
        stack.callback(decisions.close)
        operations = Operations(settings.database)
        stack.callback(operations.close)
        registry = Registry(register, Audit(SqlAudit(operations), SystemClock()))
        archive = Archive(frames, series, loads)
        keeper = Keeper(frames, series, loads)
        charting = Charting(archive, registry, keeper.advance)
        yield Measurements(
            registry, archive, Feed(frames, series, loads), keeper, charting, Judging(decisions, registry)
        )
