"""The derived tables beside a `Bench`: Keeper, archive and rebuild on real databases."""

from pathlib import Path

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_frames import SqlFrames
from device_manager.adapters.store_rebuild import Rebuilt, rebuild
from device_manager.adapters.store_series import SqlSeries
from device_manager.database import ServerDatabase
from device_manager.series.archive import Archive
from device_manager.series.chunks import SPANS_S
from device_manager.series.keeping import Keeper
from tests.fakes.speaker import START_S
from tests.fakes.stores import Bench

SITE = 4


class Derived:
    """A bench with site 4, where node 1 hangs since before START_S, and everything that reads series."""

    def __init__(self, directory: Path, since_s: int = START_S - 86_400, server: ServerDatabase | None = None) -> None:
        self.bench = Bench(directory, server=server)
        site = (
            "INSERT INTO site (id, name, title, latitude, longitude, height_m, district, zone)"
            " VALUES (?, ?, 'Rathausplatz', 47.7, 10.3, 3, 'Mitte', 'Europe/Berlin')"
        )
        self.bench.write(site, (SITE, "rathausplatz"))
        self.bench.write(
            f"INSERT INTO deployment (id, node_id, site_id, since_s, until_s) VALUES (1, 1, {SITE}, {since_s}, NULL)"
        )
        self.open()

    def add_site(self, site_id: int, name: str) -> None:
        """Add a site where nothing hangs."""
        self.bench.write(
            "INSERT INTO site (id, name, title, latitude, longitude, height_m, district, zone)"
            " VALUES (?, ?, ?, 47.73, 10.32, 3, 'Mitte', 'Europe/Berlin')",
            (site_id, name, name.capitalize()),
        )

    def on(self, server: ServerDatabase) -> "Derived":
        """Return the same on a database that has everything already."""
        other = object.__new__(Derived)
        other.bench = self.bench.reopened(server)
        other.open()
        return other

    def open(self) -> None:
        """Open the derived tables."""
        loads = Cbor2Codec().loads
        self.series = SqlSeries(self.bench.path)
        self.frames = SqlFrames(self.bench.path, self.series)
        self.keeper = Keeper(self.frames, self.series, loads)
        self.archive = Archive(self.frames, self.series, loads)

    def decide(self, kind: str, document: str) -> None:
        """Add a decision as a command would."""
        sql = "INSERT INTO decision (made_ms, actor, kind, document) VALUES (0, 'tester', ?, ?)"
        self.bench.write(sql, (kind, document))

    def rebuild(self) -> Rebuilt:
        """Rebuild in this process."""
        return rebuild(self.bench.path, processes=1)

    def rollups(self) -> dict[object, bytes]:
        """All roll-ups that hold readings, bit for bit, without their numbers."""
        found = {}
        for period in SPANS_S:
            for key, chunk in self.series.chunks(SITE, period, 0, 1 << 40):
                for row, channel in enumerate(chunk.channels):
                    for at in (chunk.readings[row] > 0).nonzero()[0].tolist():
                        cells = (chunk.value, chunk.low, chunk.high, chunk.seconds, chunk.readings, chunk.flags)
                        name = key.node_id, period, channel, int(chunk.start_s[at]), int(chunk.end_s[at])
                        found[name] = b"".join(cell[row, at].tobytes() for cell in cells)
        return found

    def blocks(self) -> list[tuple[int, int, str, str, str]]:
        """(first, count, form, what, cause) of every block."""
        found = self.series.blocks_after(0, 1 << 30)
        return [(block.first, block.size, block.form, block.what, block.cause) for block in found]

    def forget(self) -> None:
        """Lose the derived tables, closed before."""
        if isinstance(self.bench.path, ServerDatabase):
            self.bench.write("DROP SCHEMA series CASCADE")
        else:
            self.bench.path.with_name("series.db").unlink()

    def close(self) -> None:
        """Close everything."""
        self.frames.close()
        self.series.close()
        self.bench.close()
