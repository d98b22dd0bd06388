"""The refusals of one batch: each is kept once with its bytes, within a budget for each node, and counted."""

from device_manager.ports import RejectRow, Transaction

KEPT_BYTES = 65_536  # of one payload
BUDGET_BYTES = 64 << 20  # of all payloads of one node name; beyond it rejects are only counted


class Rejects:
    """Collects refusals until `write`; `knows` looks at those of this batch and of the store."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._kept: list[RejectRow] = []
        self._only_counted: list[RejectRow] = []
        self._kept_bytes: dict[str, int] = {}
        self._heads: set[tuple[str, int | None, int | None]] = set()

    def knows(self, node: str, log: int, seq: int, payload: bytes | None = None) -> bool:
        """True when a refusal with that head is kept (with exactly that payload, if given)."""
        if payload is not None:
            payload = payload[:KEPT_BYTES]
        if (node, log, seq) in self._heads and (
            payload is None
            or any(r.payload == payload and (r.node, r.log, r.seq) == (node, log, seq) for r in self._kept)
        ):
            return True
        return self._transaction.is_rejected(node, log, seq, payload)

    def add(self, row: RejectRow) -> None:
        """Keep a refusal; its payload is cut to KEPT_BYTES."""
        row = row._replace(payload=row.payload[:KEPT_BYTES])
        before = self._kept_bytes.get(row.node)
        if before is None:
            before = self._transaction.reject_bytes(row.node)
        after = before + len(row.payload)
        if after <= BUDGET_BYTES:
            self._kept.append(row)
            self._heads.add((row.node, row.log, row.seq))
            self._kept_bytes[row.node] = after
        else:
            self._only_counted.append(row)
            self._kept_bytes[row.node] = before

    def write(self) -> None:
        """Write what was collected."""
        self._transaction.add_rejects(self._kept, self._only_counted)
