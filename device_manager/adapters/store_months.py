"""Months of frames between the database and the archive: the `Months` port of `archiving`."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, text

from device_manager.adapters import archive_parquet as parquet
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_archive import ArchiveFile, SqlArchive
from device_manager.adapters.store_engine import open_reader, open_writer, translated
from device_manager.adapters.store_keys import keys_of
from device_manager.adapters.store_reader import SqlReader
from device_manager.archiving.months import bounds
from device_manager.database import Database
from device_manager.ports import StoredRecord
from device_manager.series.epochs import Epochs
from firmware.wire import frame as wire

_DROP = 900  # rows a transaction, so that ingest never waits long
_COLUMNS = "number, node_id, log_id, seq, kind, received_ms, start_s, payload"
# The newest row stays, whatever its month: the next number is one more than the highest. With a plus the server looks
# the numbers up as one range, by an index that would be read through for each of them.
_DELETE = """
DELETE FROM frame WHERE number BETWEEN :low AND :high AND +number IN :numbers AND number < :head
"""
_OLDEST = text("SELECT min(start_s) FROM frame WHERE start_s IS NOT NULL")


def _frame(row: Any) -> StoredRecord:
    number, node_id, log_id, seq, _, received_ms, start_s, payload = row
    return StoredRecord(number, node_id, log_id, seq, "frame", received_ms, start_s, payload)


class SqlMonths:
    """Opens its own connections; one run at a time."""

    def __init__(self, database: Database, reader: SqlReader, archive: SqlArchive, address: str) -> None:
        self._path = database
        self._archive = archive
        self._address = parquet.place(address, database.parent) if isinstance(database, Path) else address
        self._reader, self._writer = open_reader(database), open_writer(database)
        self._keys = keys_of(database)
        self._nodes = [node.node_id for node in reader.nodes()]
        self._epochs = Epochs(reader.record, Cbor2Codec().loads)

    def close(self) -> None:
        """Close all connections."""
        self._reader.dispose()
        self._writer.dispose()

    def oldest_s(self) -> int | None:
        """See `Months.oldest_s`."""
        with translated(self._path), self._reader.connect() as connection:
            found: int | None = connection.execute(_OLDEST).scalar()
        return found

    def archived(self) -> dict[str, frozenset[str]]:
        """See `Months.archived`."""
        return {file.month: file.blanked for file in self._archive.files()}

    def frames(self, month: str) -> list[StoredRecord]:
        """See `Months.frames`."""
        found = {record.number: record for record in self._archived(month)}
        low, high = bounds(month)
        for node in self._nodes:
            where = self._keys.begins(node, low - 1, high)
            sql = f"SELECT {_COLUMNS} FROM frame WHERE {where.sql} ORDER BY {where.order}, number"
            with translated(self._path), self._reader.connect() as connection:
                rows = connection.exec_driver_sql(sql, where.arguments).all()
            found |= {record.number: record for record in map(_frame, rows)}
        return sorted(found.values(), key=lambda record: (record.node_id, record.start_s or 0, record.number))

    def columns(self, frame: StoredRecord, quantities: Collection[str]) -> list[int]:
        """See `Months.columns`."""
        epoch = self._epochs.get(frame.log_id, wire.decode(frame.payload).epoch)
        channels = epoch.channels if epoch else ()
        return [at for at, channel in enumerate(channels) if channel.quantity in quantities]

    def keep(self, month: str, frames: Sequence[StoredRecord], blanked: frozenset[str]) -> None:
        """See `Months.keep`."""
        name = f"{month}-{'-'.join(sorted(blanked))}.parquet" if blanked else f"{month}.parquet"
        address = parquet.join(self._address, name)
        written = parquet.write(address, frames)
        old = next((file.address for file in self._archive.files() if file.month == month), None)
        numbers, begins = [f.number for f in frames], [f.start_s or 0 for f in frames]
        bounds_ = (min(numbers), max(numbers), min(begins), max(begins))
        self._archive.put(ArchiveFile(month, address, *written, *bounds_, blanked), frames)
        parquet.forget_cached()
        if old is not None and old != address:
            parquet.remove(old)

    def drop(self, month: str) -> int:
        """See `Months.drop`."""
        file = next((file for file in self._archive.files() if file.month == month), None)
        if file is None:
            return 0
        parquet.verify(file.address, file.sha256)
        numbers = sorted(record.number for record in self._archived(month))
        wanted = text(_DELETE).bindparams(bindparam("numbers", expanding=True))
        dropped = 0
        for at in range(0, len(numbers), _DROP):
            some = numbers[at : at + _DROP]
            with translated(self._path), self._writer.begin() as connection:
                head = connection.exec_driver_sql(self._keys.head).scalar_one()
                bounds_ = {"low": some[0], "high": some[-1], "head": head}
                dropped += connection.execute(wanted, {"numbers": some, **bounds_}).rowcount
        return dropped

    def _archived(self, month: str) -> list[StoredRecord]:
        file: Any = next((file for file in self._archive.files() if file.month == month), None)
        return parquet.between(file.address, 0, file.high_number) if file else []
