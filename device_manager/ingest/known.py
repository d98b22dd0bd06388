"""What a batch asks of the store: nodes, logs, and the records under its numbers, looked up together.

What the memory between batches holds is not asked for. What is asked one by one all the same (a batch of one, a number
that became doubtful on the way) is looked up then.
"""

from collections.abc import Iterable, Iterator, Sequence

from device_manager.ingest import admit as a
from device_manager.ingest.admit import Message, Record, Refused
from device_manager.ingest.memory import Memory
from device_manager.ingest.watermark import LogState
from device_manager.ports import Incoming, LogRow, Node, Refusal, Transaction


class Known:
    """The store as one batch finds it."""

    def __init__(self, transaction: Transaction, memory: Memory) -> None:
        self._transaction = transaction
        self._memory = memory
        self._strangers: set[str] = set()  # looked for, and not registered
        self._unseen: set[int] = set()  # logs that were looked for, and not there
        self._records: dict[tuple[int, int], tuple[str, bytes] | None] = {}  # None: looked for, and not there
        self._committed: set[tuple[int, int]] = set()  # (log, number) of what counts as committed already
        self._events: dict[tuple[int, str], bytes | None] = {}

    def look_up(self, names: set[str], found: Sequence[Record | Message | Refused]) -> None:
        """Read what these need that is not remembered, with a statement for each kind."""
        memory, records = self._memory, [one for one in found if isinstance(one, Record)]
        unknown = names - memory.nodes.keys()
        if unknown:
            memory.nodes.update({node.name: node for node in self._transaction.nodes(sorted(unknown))})
            self._strangers = unknown - memory.nodes.keys()
        fresh = {record.log for record in records} - memory.logs.keys()
        fresh |= {log for log in map(_said_log, found) if log is not None} - memory.logs.keys()
        if fresh:
            rows = self._transaction.logs(sorted(fresh))
            memory.logs.update({row.log: (row, LogState(row.next, row.ahead)) for row in rows})
            self._unseen = fresh - memory.logs.keys()
        self._look_up_records(records)

    def _look_up_records(self, records: Iterable[Record]) -> None:
        """Read the channels of unknown epochs, and what is stored under committed numbers.

        So neither a backlog that is sent twice nor frames whose channels have not come cost a statement each.
        """
        logs, columns, keys = self._memory.logs, self._memory.columns, set()
        for record in records:
            if record.log in logs:
                row, state = logs[record.log]
                if (row.log_id, record.epoch) not in columns:
                    keys.add((row.log_id, record.epoch))
                if record.seq in state:
                    keys.add((row.log_id, record.seq))
                    self._committed.add((record.log, record.seq))
        if keys:
            self._records = {**dict.fromkeys(keys), **self._transaction.records(sorted(keys))}

    def look_up_events(self, shown: Iterable[tuple[str, str]]) -> None:
        """Read the newest event of each (name, kind) that the broker has retained."""
        nodes = self._memory.nodes
        keys = sorted({(nodes[name].node_id, kind) for name, kind in shown if name in nodes})
        if keys:
            self._events.update(self._transaction.last_events(keys))

    def node(self, name: str) -> Node | None:
        """Return a registered node."""
        node = self._memory.nodes.get(name)
        if node is None and name and name not in self._strangers:
            node = self._transaction.node(name)
            if node:
                self._memory.nodes[name] = node
            else:
                self._strangers.add(name)
        return node

    def log(self, log: int) -> tuple[LogRow, LogState] | None:
        """Return a copy of a log, None when it was never seen."""
        remembered = self._memory.logs.get(log)
        if remembered:
            return remembered[0], remembered[1].copy()
        row = None if log in self._unseen else self._transaction.log(log)
        return (row, LogState(row.next, row.ahead)) if row else None

    def record(self, log_id: int, seq: int) -> tuple[str, bytes] | None:
        """Return (kind, payload) of a stored record."""
        key = log_id, seq
        return self._records[key] if key in self._records else self._transaction.record(log_id, seq)

    def _is_missing(self, record: Record) -> bool:
        """True when a record that was looked up counts as committed and is not stored."""
        key = record.log, record.seq
        return key in self._committed and not self._records.get((self._memory.logs[record.log][0].log_id, record.seq))

    def doubtful(
        self,
        names: set[str],
        addresses: Sequence[tuple[str, str]],
        messages: Sequence[Incoming],
        found: Sequence[Record | Message | Refused],
    ) -> Iterator[Refusal]:
        """Yield what may be refused, or was before: what the contract refuses, comes from a node that is not welcome,
        or counts as committed and is not stored."""
        welcome = {name for name in names if (node := self.node(name)) and node.admission not in a.UNWELCOME}
        if welcome == names and not self._committed and Refused not in set(map(type, found)):
            return
        for (name, kind), message, one in zip(addresses, messages, found, strict=True):
            if isinstance(one, Refused):
                head = a.read_head(kind, message.payload)
            elif isinstance(one, Record) and (name not in welcome or self._is_missing(one)):
                head = one.log, one.seq
            else:
                continue
            if head:
                yield Refusal(name, *head, message.payload)

    def last_event(self, node_id: int, kind: str) -> bytes | None:
        """Return the newest event of a kind that was kept before this batch."""
        key = node_id, kind
        if key not in self._events:
            self._events.update(self._transaction.last_events([key]))
        return self._events[key]


def _said_log(found: Record | Message | Refused) -> int | None:
    """Return the log that a state names."""
    log = found.fields.get("log") if isinstance(found, Message) else None
    return log if isinstance(log, int) else None
