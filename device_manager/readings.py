"""Readings for commands and pages: selected by node, site, quantity and time, with names instead of numbers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from device_manager.errors import UsageError
from device_manager.ports import FleetReader
from device_manager.registry import Registry
from device_manager.series import LastValue, Observations, Series
from device_manager.series import export as files

_TAIL_FRAMES = 64


@dataclass(frozen=True)
class Selection:
    """Which readings: by name, None for all; times in Unix seconds, `until_s` exclusive."""

    node: str | None = None
    site: str | None = None
    quantity: str | None = None
    since_s: int | None = None
    until_s: int | None = None


class Readings:
    """Readings of one fleet. Not for two threads at once."""

    def __init__(self, reader: FleetReader, series: Series, registry: Registry, head: Callable[[], int]) -> None:
        """`head` returns the highest commit number."""
        self._reader = reader
        self._series = series
        self._registry = registry
        self._head = head

    def last_values(self) -> dict[str, list[LastValue]]:
        """Return the latest value of every channel by node name."""
        names = self.names().nodes
        found: dict[str, list[LastValue]] = {}
        for value in self._series.latest():
            found.setdefault(names.get(value.node_id, ""), []).append(value)
        return found

    def pages(self, selection: Selection, after: int = 0) -> Iterator[Observations]:
        """Yield pages of selected readings in commit order; UsageError for an unknown node, site or quantity."""
        node_id = self._registry.node(selection.node).node_id if selection.node else None
        site_id = self._registry.site(selection.site).site_id if selection.site else None
        _check_quantity(selection.quantity)
        pages = self._series.pages(after=after, node_id=node_id, since_s=selection.since_s, until_s=selection.until_s)
        return (_only(page, site_id, selection.quantity) for page in pages)

    def tail(self, selection: Selection, rows: int) -> list[dict[str, Any]]:
        """Return the last `rows` selected readings that are present, in commit order, as objects."""
        head, frames = self._head(), _TAIL_FRAMES
        while True:
            after = max(0, head - frames)
            found = self._objects(self.pages(selection, after))
            if len(found) >= rows or after == 0:
                return found[max(0, len(found) - rows) :]
            frames *= 8

    def follow(self, selection: Selection, after: int) -> tuple[list[dict[str, Any]], int]:
        """Return selected readings above commit number `after`, and the number to go on from."""
        head = self._head()
        return (self._objects(self.pages(selection, after)) if head > after else []), head

    def export(self, selection: Selection, form: str, out: IO[Any]) -> int:
        """Write selected readings to `out` (text for csv and jsonl, bytes for parquet); return the number of rows."""
        writers: dict[str, Callable[..., int]] = {
            "csv": files.write_csv,
            "jsonl": files.write_jsonl,
            "parquet": files.write_parquet,
        }
        return writers[form](self.pages(selection), self.names(), out)

    def export_file(self, selection: Selection, form: str, path: Path) -> int:
        """Write selected readings to a file that appears when it is complete; return the number of rows."""
        temporary = path.with_name(path.name + ".part")
        try:
            with _open(temporary, form) as out:
                rows = self.export(selection, form, out)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return rows

    def names(self) -> files.Names:
        """Return the names of nodes and sites by their numbers."""
        nodes = {node.node_id: node.name for node in self._registry.nodes()}
        return files.Names(nodes, {site.site_id: site.name for site in self._registry.sites()})

    def _objects(self, pages: Iterator[Observations]) -> list[dict[str, Any]]:
        names, found = self.names(), []
        for page in pages:
            columns = files.table(page, names)
            found += [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return found


def _check_quantity(quantity: str | None) -> None:
    from hardware.catalog import quantities

    if quantity is not None and quantity not in quantities():
        todo = "use one of " + ", ".join(quantities())
        raise UsageError(expected="a known quantity", got=repr(quantity), todo=todo)


def _only(page: Observations, site_id: int | None, quantity: str | None) -> Observations:
    if site_id is not None:
        page = page.where(page.site_id == site_id)
    if quantity is not None:
        wanted = [index for index, channel in enumerate(page.channels) if channel.quantity == quantity]
        page = page.where(np.isin(page.channel, wanted))
    return page


def _open(path: Path, form: str) -> IO[Any]:
    if form == "parquet":
        return path.open("wb")
    return path.open("w", encoding="utf-8", newline="" if form == "csv" else None)  # csv writes its own line ends
