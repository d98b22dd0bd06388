"""Moving months to the archive and forgetting what the policy says: plan, show, then do.

service = Archiving(frames, index, files, policy, audit)
for step in service.plan(now_s): print(step)
service.run(now_s, scope=scope, said=print)
"""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from device_manager.archiving.blanking import blank
from device_manager.archiving.months import due, forgotten
from device_manager.archiving.policy import Policy
from device_manager.audit import Audit
from device_manager.ports import StoredRecord
from device_manager.scopes import ADMIN, Scope

Said = Callable[[str], None]


class Step(NamedTuple):
    """One month: `move` its frames to the archive, or take the readings of `forget` out of it."""

    month: str
    move: bool
    forget: frozenset[str]

    def __str__(self) -> str:
        what = "move to the archive" if self.move else "forget"
        names = ", ".join(sorted(self.forget))
        return f"{self.month}: {what}{' and forget' if self.move and names else ''}{f' {names}' if names else ''}"


class Months(Protocol):
    """Months of frames in the database and in the archive."""

    def oldest_s(self) -> int | None:
        """Return the begin of the oldest dated frame in the database."""
        ...

    def archived(self) -> dict[str, frozenset[str]]:
        """Return the archived months, with the quantities that were taken out of each."""
        ...

    def frames(self, month: str) -> list[StoredRecord]:
        """Return all frames of a month, wherever they lie, by node and begin."""
        ...

    def columns(self, frame: StoredRecord, quantities: Collection[str]) -> list[int]:
        """Return which columns of a frame measure one of these quantities."""
        ...

    def keep(self, month: str, frames: Sequence[StoredRecord], blanked: frozenset[str]) -> None:
        """Write a month to the archive, verify it, and name it there."""
        ...

    def drop(self, month: str) -> int:
        """Take a month's frames out of the database, those that the archive holds; return how many."""
        ...


class Archiving:
    """The service; one run at a time."""

    def __init__(self, months: Months, policy: Policy, audit: Audit) -> None:
        self._months = months
        self._policy = policy
        self._audit = audit

    def plan(self, now_s: int) -> list[Step]:
        """Return what a run would do now."""
        archived = self._months.archived()
        steps = {}
        for month in due(self._months.oldest_s(), self._policy, now_s):
            steps[month] = Step(month, True, frozenset(forgotten(month, self._policy, now_s)))
        for month, blanked in archived.items():
            gone = forgotten(month, self._policy, now_s, blanked)
            if month not in steps and gone:
                steps[month] = Step(month, False, frozenset(gone))
        return [steps[month] for month in sorted(steps)]

    def run(self, now_s: int, *, scope: Scope, said: Said = lambda line: None) -> list[Step]:
        """Do what `plan` says, month by month; a run that was cut off goes on with the next."""
        scope.require(ADMIN, "archive and forget readings")
        steps = self.plan(now_s)
        for step in steps:
            frames = self._months.frames(step.month)
            blanked = self._months.archived().get(step.month, frozenset()) | step.forget
            if frames:
                self._months.keep(step.month, [self._without(frame, blanked) for frame in frames], blanked)
            dropped = self._months.drop(step.month)
            facts = {"frames": len(frames), "dropped": dropped, "forgotten": sorted(blanked)}
            self._audit.record(scope, "store.archive", step.month, after=facts)
            said(f"{step}: {len(frames)} frames")
        return steps

    def _without(self, frame: StoredRecord, quantities: frozenset[str]) -> StoredRecord:
        columns = self._months.columns(frame, quantities) if quantities else []
        return frame._replace(payload=blank(frame.payload, columns)) if columns else frame
