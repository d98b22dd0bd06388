"""What a step begins with and what it comes to: the memory between batches, and the outcome of one."""

from dataclasses import dataclass, field
from typing import Any

from device_manager.ingest.watermark import LogState
from device_manager.ports import LogRow, Node, Watermark


@dataclass(slots=True)
class Outcome:
    """What a batch came to; `watermarks` are to be published now that it is durable."""

    watermarks: list[Watermark] = field(default_factory=list)
    wishes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(node, fields of its `want`), for whoever serves artifacts; kept nowhere."""
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    deferred: int = 0
    messages: int = 0


@dataclass(slots=True)
class Memory:
    """What is known of the store between batches."""

    nodes: dict[str, Node] = field(default_factory=dict)
    logs: dict[int, tuple[LogRow, LogState]] = field(default_factory=dict)
    columns: dict[tuple[int, int], int] = field(default_factory=dict)  # (log_id, epoch) -> channels
    shadows: dict[int, str] = field(default_factory=dict)  # node_id -> document
    latest_ms: int | None = None
    """The latest that the host's clock has shown: one that has stepped back since is known to be wrong."""

    def forget(self, more_than: int = -1) -> None:
        """Read everything anew that holds more than so many entries."""
        for known in (self.nodes, self.logs, self.columns, self.shadows):
            if len(known) > more_than:
                known.clear()
