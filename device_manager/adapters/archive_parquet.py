"""A month of frames as one Parquet file, on disk or on S3-compatible storage; written once, read by node or by number.

Columns: number, node_id, log_id, seq, received_ms, start_s, payload. Rows lie node by node, by begin; a row group holds
one node or a few small ones, so that a node's month is one read of some hundred kB. zstd, because payloads are packed
already and only their heads repeat. Any Parquet reader can open it.

An address is a path or `s3://bucket/path`, with what pyarrow understands behind a question mark
(`?endpoint_override=host:port&scheme=http`); keys come from the environment (AWS_ACCESS_KEY_ID, ..).
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from device_manager.errors import StoreError
from device_manager.ports import StoredRecord

SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("node_id", pa.int32()),
        ("log_id", pa.int32()),
        ("seq", pa.int64()),
        ("received_ms", pa.int64()),
        ("start_s", pa.int64()),
        ("payload", pa.binary()),
    ]
)
GROUP_ROWS = 5000  # a month of a node with frames of ten minutes
_TODO = "check the archive's address, its rights and the network"


class Written(NamedTuple):
    """A file that was written, read back and found right."""

    rows: int
    size_bytes: int
    sha256: str


def place(address: str, directory: Path) -> str:
    """Return the address of an archive as it is kept: relative directories lie beside the database."""
    return address if "://" in address else str((directory / address).absolute())


def join(archive: str, name: str) -> str:
    """Return the address of a file in an archive."""
    base, mark, options = archive.partition("?")
    return f"{base.rstrip('/')}/{name}{mark}{options}"


def write(address: str, rows: Sequence[StoredRecord]) -> Written:
    """Write frames (by node and begin), read them back, and return what was found; StoreError when it is not the same.

    The file appears under its name only when it is whole and right.
    """
    system, path = _open(address)
    table = pa.table(_columns(rows), SCHEMA)
    with _translated(address):
        _make_parent(system, path)
        with system.open_output_stream(path + ".new") as out, pq.ParquetWriter(out, SCHEMA, compression="zstd") as file:
            for first, end in _groups([row.node_id for row in rows]):
                file.write_table(table.slice(first, end - first))
        digest, size_bytes = _digest(system, path + ".new")
        with system.open_input_file(path + ".new") as back:
            same = pq.read_table(back).equals(table)
        if not same:
            raise StoreError(expected=f"{address} to read as it was written", got="other rows", todo="check the disk")
        system.move(path + ".new", path)
    return Written(len(rows), size_bytes, digest)


def verify(address: str, sha256: str) -> None:
    """Raise StoreError unless the file is there and has that sum."""
    system, path = _open(address)
    with _translated(address):
        found, _ = _digest(system, path)
    if found != sha256:
        raise StoreError(expected=f"{address} with sum {sha256[:12]}", got=found[:12], todo="restore it from a backup")


def remove(address: str) -> None:
    """Remove a file that nothing names any more."""
    system, path = _open(address)
    with _translated(address):
        system.delete_file(path)


def of_node(address: str, node_id: int, low_s: int, high_s: int) -> list[tuple[Any, ...]]:
    """Return (number, node_id, log_id, start_s, payload, 0) of a node's frames that begin within low_s and high_s."""
    file = _file(address)
    groups = [g for g in range(file.num_row_groups) if _may_hold(file.metadata.row_group(g), node_id)]
    if not groups:
        return []
    with _translated(address):
        table = file.read_row_groups(groups, columns=["number", "node_id", "log_id", "start_s", "payload"])
    start_s = table["start_s"].to_numpy()
    inside = (table["node_id"].to_numpy() == node_id) & (start_s > low_s) & (start_s < high_s)
    found = table.filter(pa.array(inside))
    return list(zip(*(found[name].to_pylist() for name in found.column_names), [0] * len(found), strict=True))


def by_number(address: str, numbers: Sequence[int]) -> list[StoredRecord]:
    """Return those of the frames with these commit numbers that the file holds, by number."""
    order, sorted_numbers, table = _whole(address)
    wanted = np.array(sorted(numbers), dtype=np.int64)
    at = np.searchsorted(sorted_numbers, wanted)
    hit = (at < len(sorted_numbers)) & (sorted_numbers[np.minimum(at, len(sorted_numbers) - 1)] == wanted)
    return records_of(table.take(pa.array(order[at[hit]])))


def between(address: str, after: int, until: int) -> list[StoredRecord]:
    """Return the frames with commit numbers above `after` up to `until`, by number."""
    order, sorted_numbers, table = _whole(address)
    low, high = np.searchsorted(sorted_numbers, (after + 1, until + 1)).tolist()
    return records_of(table.take(pa.array(order[low:high])))


def records_of(table: pa.Table) -> list[StoredRecord]:
    """Return the rows of a table as records."""
    rows = zip(*(table[name].to_pylist() for name in SCHEMA.names), strict=True)
    return [StoredRecord(r[0], r[1], r[2], r[3], "frame", r[4], r[5], r[6]) for r in rows]


@lru_cache(maxsize=24)
def _file(address: str) -> pq.ParquetFile:
    system, path = _open(address)
    with _translated(address):
        return pq.ParquetFile(system.open_input_file(path))


@lru_cache(maxsize=2)  # some hundred MB for a city's month; who replays history reads month after month
def _whole(address: str) -> tuple[Any, Any, pa.Table]:
    with _translated(address):
        table = _file(address).read()
    numbers = table["number"].to_numpy()
    order = np.argsort(numbers)
    return order, numbers[order], table


def forget_cached() -> None:
    """Forget what was read: a file was written anew."""
    _file.cache_clear()
    _whole.cache_clear()


def _columns(rows: Sequence[StoredRecord]) -> dict[str, list[Any]]:
    return {name: [getattr(row, name) for row in rows] for name in SCHEMA.names}


def _groups(nodes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, end) of row groups: cut between nodes once a group is half full."""
    first = 0
    for at in range(1, len(nodes) + 1):
        ended = at == len(nodes)
        if ended or (nodes[at] != nodes[at - 1] and at - first >= GROUP_ROWS // 2):
            yield first, at
            first = at


def _may_hold(group: Any, node_id: int) -> bool:
    statistics = group.column(SCHEMA.names.index("node_id")).statistics
    return bool(statistics.min <= node_id <= statistics.max)


def _digest(system: fs.FileSystem, path: str) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with system.open_input_stream(path) as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def _make_parent(system: fs.FileSystem, path: str) -> None:
    if isinstance(system, fs.LocalFileSystem):
        system.create_dir(path.rpartition("/")[0], recursive=True)


def _open(address: str) -> tuple[fs.FileSystem, str]:
    with _translated(address):
        if "://" not in address:
            return fs.LocalFileSystem(), address
        system, path = fs.FileSystem.from_uri(address)
        return system, path


class _translated:
    """Turns what pyarrow says about storage into a StoreError with something to do."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError | pa.ArrowException):
            words = str(error).splitlines()[0][:300]
            raise StoreError(expected=f"the archive at {self._address}", got=words, todo=_TODO) from error
