"""One batch in the making: each record once, every refusal kept, watermarks true.

Rules
1. A record is stored when its number is not committed yet. What comes again is compared: the same bytes are a
   duplicate, other bytes are refused as "number used twice" and kept there.
2. A refused record of a registered node and its own log counts as committed, so that no bad record blocks an outbox.
   One of an unregistered node or of somebody else's log does not: it could punch holes into a good log, and the node
   keeps it until it is registered.
3. A loss record commits the range that it declares. A record that comes later all the same is stored ("rescued").
4. A frame may not be of the future, seen from the latest that the host's clock has ever shown: one that has stepped
   back must not have every frame refused.
5. A number that would need too many ranges is let fall for now: the node sends all above its watermark again.

The states of logs are copies here; rows are written at the end.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import cast

from device_manager.ingest import admit as a
from device_manager.ingest.admit import Message, Record, Refused
from device_manager.ingest.bulk import admit_frames
from device_manager.ingest.known import Known
from device_manager.ingest.memory import Memory, Outcome
from device_manager.ingest.rejects import Rejects
from device_manager.ingest.telling import Telling
from device_manager.ingest.watermark import LogState
from device_manager.ports import (
    Codec,
    EventRow,
    Incoming,
    LogRow,
    Node,
    RecordRow,
    Refusal,
    RejectRow,
    ShadowFold,
    Transaction,
    Watermark,
)

Admitted = Record | Message | Refused
TOGETHER = 500  # rows that are given to the store at a time
_REMEMBERED = 200_000  # nodes, logs and epochs each; what was forgotten is read again


@lru_cache(maxsize=65_536)
def _address(topic: str) -> tuple[str, str]:
    """As `admit.address`, with ("", "") for a topic that it refuses."""
    try:
        return a.address(topic)
    except Refused:
        return "", ""


class Step:
    """Takes messages one by one, then writes what they came to."""

    def __init__(self, transaction: Transaction, memory: Memory, codec: Codec) -> None:
        self.outcome = Outcome()
        self._transaction = transaction
        self._memory = memory
        self._known = Known(transaction, memory)
        self._codec = codec
        self._rejects = Rejects(transaction)
        self._telling = Telling()
        self._logs: dict[int, tuple[LogRow, LogState]] = {}
        self._columns: dict[tuple[int, int], int] = {}
        self._records: dict[tuple[int, int], RecordRow] = {}
        self._appended = 0
        self._events: list[EventRow] = []
        self._touched: dict[int, Node] = {}
        self._received_ms = 0
        self._latest_ms = transaction.latest_ms() if memory.latest_ms is None else memory.latest_ms
        self._shadows: dict[int, str] = {}

    def take_all(self, messages: Sequence[Incoming]) -> None:
        """Decide messages in order; what they all need is looked up together."""
        self._received_ms = max((message.received_ms for message in messages), default=0)
        self._latest_ms = max(self._latest_ms, self._received_ms)
        addresses = [_address(message.topic) for message in messages]
        found = self._admit_all(messages, addresses)
        if len(messages) > 1:
            names = {name for name, _ in addresses if name}
            self._known.look_up(names, found)
            self._known.look_up_events(where for where, m in zip(addresses, messages, strict=True) if m.retained)
            self._rejects.expect(self._known.doubtful(names, addresses, messages, found))
        for at, ((name, kind), message, one) in enumerate(zip(addresses, messages, found, strict=True), start=1):
            self._take(name, kind, message, one)
            if not at % TOGETHER:
                self._append()

    def _append(self) -> None:
        """Give the store what is to be stored so far: it takes its time for that while the next are decided."""
        new = list(islice(self._records.values(), self._appended, None))
        self._transaction.append(new)
        self._appended += len(new)

    def _admit_all(self, messages: Sequence[Incoming], addresses: Sequence[tuple[str, str]]) -> list[Admitted]:
        frames = [i for i, (_, kind) in enumerate(addresses) if kind == "frame"]
        found: list[Admitted | None] = [None] * len(messages)
        for i, record in zip(frames, admit_frames([messages[i] for i in frames], self._latest_ms), strict=True):
            found[i] = record
        return [found[i] or self._admitted(addresses[i][1], message) for i, message in enumerate(messages)]

    def take(self, message: Incoming, found: Admitted) -> None:
        """Decide one message that was found to be `found`."""
        self._received_ms = max(self._received_ms, message.received_ms)
        self._take(*_address(message.topic), message, found)

    def _take(self, name: str, kind: str, message: Incoming, found: Admitted) -> None:
        node: Node | None = None
        try:
            if not name:
                a.address(message.topic)  # says what is wrong with it
            if not message.payload and kind in a.RETAINED:
                return
            node = self._node(name)
            if isinstance(found, Record):
                self._take_record(node, message, found)
            elif isinstance(found, Message):
                self._take_message(node, message, found)
            else:
                raise found
        except Refused as refused:
            self._refuse(message, name, kind, node, refused)

    def write(self, shadows: ShadowFold) -> None:
        """Write all rows, the states of the logs, and the shadows that they change.

        Shadows are given to the store some at a time as they are folded: it may take its time meanwhile.
        """
        transaction = self._transaction
        for log, node in self._touched.items():
            state = self._logs[log][1] if log in self._logs else LogState()
            self.outcome.watermarks.append(Watermark(node.name, log, state.next, state.want()))
            self._telling.watermark(node, log, state, self._received_ms)
        told = list(self._telling.told())
        known = self._memory.shadows
        unknown = [node.node_id for node, _ in told if node.node_id not in known]
        known = known | transaction.shadows(unknown) if unknown else known
        self._append()
        rows = [row._replace(next=state.next, ahead=state.ahead) for row, state in self._logs.values()]
        transaction.save_logs(rows)
        for at in range(0, len(told), TOGETHER):
            some = told[at : at + TOGETHER]
            folded = [(n.node_id, shadows.fold(known.get(n.node_id), n.name, events)) for n, events in some]
            transaction.save_shadows(folded)
            self._shadows.update(folded)
        self._rejects.write()
        transaction.add_events(self._events)

    def remember(self) -> None:
        """Keep for the next batch what is durable now."""
        self._memory.forget(more_than=_REMEMBERED)
        self._memory.shadows.update(self._shadows)
        self._memory.latest_ms = self._latest_ms
        self._memory.logs.update(self._logs)
        self._memory.columns.update(self._columns)

    def _admitted(self, kind: str, message: Incoming) -> Admitted:
        try:
            return a.admit(kind, message.payload, self._latest_ms, self._codec.loads)
        except Refused as refused:
            return refused
        except Exception as error:  # whatever some bytes do to our own checks, the next message must be taken
            return Refused(a.INTERNAL, f"{type(error).__name__}: {error}"[:500])

    def _node(self, name: str) -> Node:
        node = self._known.node(name)
        if node is None:
            raise Refused(a.NOT_REGISTERED, f"expected a registered node, got {name}")
        if node.admission in a.UNWELCOME:
            raise Refused(a.NOT_ADMITTED, f"expected an admitted node, got {name}, which is {node.admission}")
        return node

    def _known_log(self, node: Node, log: int) -> tuple[LogRow, LogState] | None:
        """Return this step's copy of a log, None when it was never seen; Refused when it is another node's."""
        known = self._logs.get(log) or self._known.log(log)
        if known is None:
            return None
        self._logs[log] = known
        if known[0].node_id != node.node_id:
            raise Refused(a.FOREIGN_LOG, f"expected a log of {node.name}, got log {log:08x} of another node")
        return known

    def _own_log(self, node: Node, log: int) -> tuple[LogRow, LogState]:
        """Return this step's copy of a log of `node`, begun if need be, and have its watermark published."""
        known = self._known_log(node, log)
        if known is None:
            known = self._logs[log] = self._transaction.add_log(node.node_id, log), LogState()
        self._touched[log] = node
        return known

    def _take_record(self, node: Node, message: Incoming, record: Record) -> None:
        row, state = self._own_log(node, record.log)
        again = record.seq in state
        if again and self._is_decided(node, row, record, message.payload):
            self.outcome.duplicates += 1
            return
        if not again and not state.fits(record.seq):
            self.outcome.deferred += 1
            return
        self._check_columns(row, record)
        rescued = again and not self._rejects.knows_head(Refusal(node.name, record.log, record.seq, message.payload))
        head = (node.node_id, row.log_id, record.seq, record.kind, message.received_ms, record.start_s)
        self._records[row.log_id, record.seq] = RecordRow(*head, message.payload)
        state.commit(record.seq)
        self.outcome.stored += 1
        self._note(node, message, record, row, state, rescued)

    def _is_decided(self, node: Node, row: LogRow, record: Record, payload: bytes) -> bool:
        """True when these bytes were stored or refused before; Refused when others are stored under their number."""
        staged = self._records.get((row.log_id, record.seq))
        stored = (staged.kind, staged.payload) if staged else self._known.record(row.log_id, record.seq)
        if stored is None:
            known = self._rejects.knows(Refusal(node.name, record.log, record.seq, payload))
            return known or self._transaction.archived(row.log_id, record.seq)
        if stored == (record.kind, payload):
            return True
        raise Refused(a.NUMBER_USED_TWICE, f"expected the {stored[0]} stored as {record.seq}, got other bytes")

    def _check_columns(self, row: LogRow, record: Record) -> None:
        """Refuse a frame whose width is not its epoch's; an epoch that has not come yet lets it pass."""
        if record.kind != "frame":
            return
        key = row.log_id, record.epoch
        width = self._columns.get(key, self._memory.columns.get(key))
        if width is None:
            width = self._stored_width(*key)
        if width and width != record.columns:
            raise Refused(a.SHAPE, f"expected {width} columns of epoch {record.epoch}, got {record.columns}")

    def _stored_width(self, log_id: int, epoch: int) -> int:
        stored = self._known.record(log_id, epoch)
        if not stored or stored[0] != "channels":
            return 0
        self._columns[log_id, epoch] = a.width(stored[1], self._codec.loads)
        return self._columns[log_id, epoch]

    def _note(self, node: Node, message: Incoming, record: Record, row: LogRow, state: LogState, rescued: bool) -> None:
        """Draw the consequences of a stored record."""
        lost = 0
        if record.kind == "channels":
            self._columns[row.log_id, record.seq] = record.columns
        elif record.kind == "loss":
            fields = cast(dict[str, int], record.fields)
            lost = state.commit_range(fields["first"], fields["last"])
        self._telling.record(node, message, record, lost, rescued)

    def _take_message(self, node: Node, message: Incoming, found: Message) -> None:
        log = found.fields.get("log")
        if found.kind == "state" and found.fields["online"] and isinstance(log, int):
            self._known_log(node, log)
            self._touched[log] = node
        self._telling.message(node, message, found)
        self.outcome.messages += 1
        if found.kind == "want":
            self.outcome.wishes.append((node.name, found.fields))
            return
        if message.retained and self._known.last_event(node.node_id, found.kind) == message.payload:
            return  # the broker shows it to every new subscription
        self._events.append(EventRow(node.node_id, found.kind, message.received_ms, message.payload))

    def _refuse(self, message: Incoming, name: str, kind: str, node: Node | None, refused: Refused) -> None:
        log, seq = a.read_head(kind, message.payload) or (None, None)
        if log is not None and seq is not None:
            self._commit_refused(node, log, seq, refused)
            if self._rejects.knows(Refusal(name, log, seq, message.payload)):
                self.outcome.duplicates += 1
                return
        head = (name, message.topic[:300], message.received_ms, refused.reason, refused.detail)
        self._rejects.add(RejectRow(*head, message.payload, len(message.payload), log, seq))
        self.outcome.rejected += 1
        if node is not None:
            self._telling.refused(node, message, refused.reason)

    def _commit_refused(self, node: Node | None, log: int, seq: int, refused: Refused) -> None:
        if node is None or refused.reason == a.FOREIGN_LOG:
            return
        try:
            _, state = self._own_log(node, log)
        except Refused:  # bad bytes that name a foreign log: the first reason stands, nothing is committed
            return
        if state.fits(seq):
            state.commit(seq)
