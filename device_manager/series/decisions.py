"""What people decide about readings: an append-only list, and its fold.

    calibrate    a calibration begins to hold
    invalidate   a period must not be calculated with
    withdraw     one of the two above is taken back

A decision's number is the id of the calibration or invalidation that it makes, for ever. What held after decision n is
the fold of decisions 1..n, so any earlier view can be had again.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from device_manager.series.calibration import Calibration, Target
from device_manager.series.invalidation import Invalidation

KINDS = ("calibrate", "invalidate", "withdraw")


class Decision(NamedTuple):
    """One decision: who, when (Unix ms), and the fields of what was decided as JSON text."""

    decision_id: int
    made_ms: int
    actor: str
    kind: str
    document: str


@dataclass(slots=True)
class State:
    """What holds: calibrations and invalidations by id, after decision `last`."""

    last: int = 0
    calibrations: dict[int, Calibration] = field(default_factory=dict)
    invalidations: dict[int, Invalidation] = field(default_factory=dict)

    def take(self, decision: Decision) -> Calibration | Invalidation | None:
        """Fold one decision; returns what begins or ceases to hold, None when that did not hold any more."""
        fields = json.loads(decision.document)
        self.last = decision.decision_id
        if decision.kind == "withdraw":
            number = fields["id"]
            return self.calibrations.pop(number, None) or self.invalidations.pop(number, None)
        if decision.kind == "calibrate":
            made = calibration_of(decision.decision_id, fields)
            self.calibrations[made.calibration_id] = made
            return made
        said = Invalidation(invalidation_id=decision.decision_id, **fields)
        self.invalidations[said.invalidation_id] = said
        return said

    def for_channel(self, node_id: int, sensor: str, quantity: str) -> tuple[list[Calibration], list[Invalidation]]:
        """Return what may concern that channel."""
        return (
            [c for c in self.calibrations.values() if c.concerns(node_id, sensor, quantity)],
            [i for i in self.invalidations.values() if i.concerns(node_id, quantity)],
        )


def fold(decisions: Iterable[Decision], last: int | None = None) -> State:
    """Return what holds after the decision numbered `last`, or after all."""
    state = State()
    for decision in decisions:
        if last is None or decision.decision_id <= last:
            state.take(decision)
    return state


def document_of(made: Calibration | Invalidation) -> str:
    """Return the fields of a calibration or invalidation as JSON, without its id."""
    if isinstance(made, Invalidation):
        fields: dict[str, Any] = made._asdict()
        del fields["invalidation_id"]
        return json.dumps(fields)
    return json.dumps(
        {
            "target": made.target._asdict(),
            "since_s": made.since_s,
            "until_s": made.until_s,
            "offset": made.offset,
            "gain": made.gain,
            "points": made.points,
            "report": made.report,
        }
    )


def calibration_of(number: int, fields: dict[str, Any]) -> Calibration:
    """Return the calibration of a decision's fields."""
    rest = {name: value for name, value in fields.items() if name not in ("target", "points")}
    points = tuple((float(x), float(y)) for x, y in fields["points"])
    return Calibration(number, Target(**fields["target"]), points=points, **rest)
