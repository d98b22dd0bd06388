"""Commit batches: one transaction each, with the records, the logs' states, the refusals and the shadows.

Nothing remembered between batches is trusted before the store has made the batch durable, nor after somebody else has
written to the store.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from device_manager.ingest.admit import INTERNAL, Refused
from device_manager.ingest.memory import Memory, Outcome
from device_manager.ingest.step import Step
from device_manager.ports import Codec, FrameStore, Incoming, ShadowFold

__all__ = ["Committer", "Outcome"]


class Committer:
    """Commits batches into `store`. One Committer a store: it numbers nothing, but it remembers."""

    def __init__(self, store: FrameStore, codec: Codec, shadows: ShadowFold) -> None:
        self._store = store
        self.codec = codec
        self._shadows = shadows
        self._memory = Memory()

    def commit(self, batch: Sequence[Incoming]) -> Outcome:
        """Make `batch` durable; StoreError and RowRefused leave everything as it was."""
        return self._step(batch, None)

    def commit_as_refused(self, message: Incoming, error: Exception) -> Outcome:
        """Keep a message that `commit` cannot take as a reject with reason "internal"."""
        return self._step([message], Refused(INTERNAL, f"{type(error).__name__}: {error}"[:500]))

    def _step(self, batch: Sequence[Incoming], refusal: Refused | None) -> Outcome:
        with _uncollected(), self._store.begin() as transaction:
            if transaction.changed_elsewhere:
                self._memory.forget()
            step = Step(transaction, self._memory, self.codec)
            if refusal:
                step.take(batch[0], refusal)
            else:
                step.take_all(batch)
            step.write(self._shadows)
        step.remember()
        return step.outcome


@contextmanager
def _uncollected() -> Iterator[None]:
    """Hold the cycle collector off: a batch makes thousands of small objects and no cycle; looking costs a fifth."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
