"""What series asks of a store, in columns: the ports of the read side, and the values that cross them."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from device_manager.ports import Deployment, StoredRecord
from device_manager.series.chunks import Chunk, ChunkKey
from device_manager.series.dating import BootTime
from device_manager.series.decisions import Decision
from device_manager.series.epochs import Channel
from device_manager.series.numbering import Block
from device_manager.series.rows import FrameRows

NOT_UNDATED = -1


class Waiting(NamedTuple):
    """A frame without a number: nobody knows its time (boot >= 0) or its columns (boot NOT_UNDATED)."""

    number: int
    node_id: int
    log_id: int
    seq: int
    boot: int
    uptime_s: int
    span_s: int
    received_s: int


class FrameSource(Protocol):
    """Frames and what explains them; each call sees whole steps of the writer only."""

    def frames(self, node_id: int, since_s: int, until_s: int) -> FrameRows:
        """Return the frames of a node that have a date and may touch [since_s, until_s), by begin."""
        ...

    def numbered_frames(self, numbers: Sequence[int]) -> FrameRows:
        """Return frames by their commit numbers, in that order."""
        ...

    def page(self, after: int, limit: int) -> list[StoredRecord]:
        """Return up to `limit` records above a commit number, in order."""
        ...

    def neighbours(self, log_id: int, seq: int) -> tuple[int | None, int | None]:
        """Return the begins of the dated frames before and behind a number of a log, None where there is none."""
        ...

    def frame_span(self, node_id: int, since_s: int, until_s: int) -> tuple[int, int] | None:
        """Return the begins of a node's first and last dated frame that begin in [since_s, until_s); where months were
        archived, the first may be that of the first month, and there may be none of this node."""
        ...

    def record(self, log_id: int, seq: int) -> StoredRecord | None:
        """Return one record: the channels of an epoch."""
        ...

    def events(self, node_id: int, kind: str) -> list[bytes]:
        """Return the kept messages of that kind, as they came."""
        ...

    def node_ids(self) -> list[int]:
        """Return all nodes."""
        ...

    def zones(self) -> dict[int, str]:
        """Return the time zone of each site."""
        ...

    def decisions(self, after: int = 0) -> list[Decision]:
        """Return people's decisions above a number, in order."""
        ...

    def deployments(self) -> list[Deployment]:
        """Return all deployments by node and begin."""
        ...


class Progress(NamedTuple):
    """How far the derived tables are: commit number of the last record and number of the last decision that were
    taken in, and the last observation number that was given."""

    record: int = 0
    decision: int = 0
    observation: int = 0


class SeriesReader(Protocol):
    """The derived tables, for readers."""

    def progress(self) -> Progress:
        """Return how far the tables are."""
        ...

    def blocks(self, node_id: int, low: int, high: int) -> list[Block]:
        """Return the blocks that may hold a node's frames low..high (commit numbers), by first number."""
        ...

    def blocks_after(self, number: int, limit: int) -> list[Block]:
        """Return up to `limit` blocks that hold numbers above `number`, by first number."""
        ...

    def replacing(self, low: int, high: int) -> list[Block]:
        """Return the blocks that replace some of the numbers low..high."""
        ...

    def renaming(self, low: int, high: int) -> list[Block]:
        """Return the blocks that hold some of the numbers low..high and replace others by them."""
        ...

    def chunks(self, site_id: int, period: str, since_s: int, until_s: int) -> list[tuple[ChunkKey, Chunk]]:
        """Return a site's roll-ups that may touch [since_s, until_s), by begin."""
        ...

    def chunk_begins(self, site_id: int, period: str) -> list[int]:
        """Return the begins of a site's chunks, growing."""
        ...

    def layouts(self) -> list[tuple[int, int, tuple[Channel, ...]]]:
        """Return which channels of which node have roll-ups at which site, as (site, node, channels)."""
        ...

    def chunk(self, key: ChunkKey) -> Chunk | None:
        """Return one chunk."""
        ...


class SeriesStep(SeriesReader, Protocol):
    """One step of the one writer of the derived tables: whole or not at all."""

    def newest_s(self, node_id: int) -> int | None:
        """Return until when the node's roll-ups are made."""
        ...

    def waiting(self) -> list[Waiting]:
        """Return all frames that wait for a number."""
        ...

    def last_block(self) -> Block | None:
        """Return the block with the highest numbers."""
        ...

    def put_block(self, block: Block) -> None:
        """Add a block, or write the last one anew with more at its end."""
        ...

    def put_chunk(self, key: ChunkKey, chunk: Chunk) -> None:
        """Write a chunk."""
        ...

    def put_newest(self, node_id: int, end_s: int) -> None:
        """Write until when the node's roll-ups are made."""
        ...

    def wait(self, rows: Iterable[Waiting]) -> None:
        """Add frames that wait."""
        ...

    def date(self, node_id: int, boot: BootTime, rows: Iterable[Waiting]) -> None:
        """Write the begin of frames of one boot."""
        ...

    def release(self, numbers: Iterable[int]) -> None:
        """These frames wait no more."""
        ...

    def put_progress(self, progress: Progress) -> None:
        """Write how far the tables are."""
        ...


class SeriesStore(SeriesReader, Protocol):
    """The derived tables with their one writer."""

    def begin(self) -> AbstractContextManager[SeriesStep]:
        """Open the next step; it is durable when the context ends normally."""
        ...
