"""The refusals of one batch: each is kept once with its bytes, within a budget for each node, and counted."""

from collections.abc import Iterable

from device_manager.ports import Refusal, RejectRow, Transaction

KEPT_BYTES = 65_536  # of one payload
BUDGET_BYTES = 64 << 20  # of all payloads of one node name; beyond it rejects are only counted


class Rejects:
    """Collects refusals until `write`; `knows` and `knows_head` look at those of this batch and of the store."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._kept: list[RejectRow] = []
        self._only_counted: list[RejectRow] = []
        self._kept_bytes: dict[str, int] = {}
        self._heads: set[tuple[str, int, int]] = set()
        self._stored: dict[Refusal, bool | None] = {}  # what the store said of them, see `Transaction.rejected`

    def expect(self, refusals: Iterable[Refusal]) -> None:
        """Look up together what `knows` and `add` would ask one by one."""
        cut = list(dict.fromkeys(map(_cut, refusals)))
        if cut:
            self._stored.update(zip(cut, self._transaction.rejected(cut), strict=True))
            names = {refusal.node for refusal in cut}
            self._kept_bytes |= dict.fromkeys(names, 0) | self._transaction.reject_bytes(sorted(names))

    def knows(self, refusal: Refusal) -> bool:
        """True when a refusal with exactly these bytes is kept."""
        refusal = _cut(refusal)
        if refusal[:3] in self._heads and any((r.node, r.log, r.seq, r.payload) == refusal for r in self._kept):
            return True
        return self._said(refusal) is True

    def knows_head(self, refusal: Refusal) -> bool:
        """True when a refusal with that head is kept."""
        return refusal[:3] in self._heads or self._said(_cut(refusal)) is not None

    def _said(self, refusal: Refusal) -> bool | None:
        if refusal not in self._stored:
            (self._stored[refusal],) = self._transaction.rejected([refusal])
        return self._stored[refusal]

    def add(self, row: RejectRow) -> None:
        """Keep a refusal; its payload is cut to KEPT_BYTES."""
        row = row._replace(payload=row.payload[:KEPT_BYTES])
        before = self._kept_bytes.get(row.node)
        if before is None:
            before = self._transaction.reject_bytes([row.node]).get(row.node, 0)
        after = before + len(row.payload)
        if after <= BUDGET_BYTES:
            self._kept.append(row)
            if row.log is not None and row.seq is not None:
                self._heads.add((row.node, row.log, row.seq))
            self._kept_bytes[row.node] = after
        else:
            self._only_counted.append(row)
            self._kept_bytes[row.node] = before

    def write(self) -> None:
        """Write what was collected."""
        self._transaction.add_rejects(self._kept, self._only_counted)


def _cut(refusal: Refusal) -> Refusal:
    return refusal if len(refusal.payload) <= KEPT_BYTES else refusal._replace(payload=refusal.payload[:KEPT_BYTES])
