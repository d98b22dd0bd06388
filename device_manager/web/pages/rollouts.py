"""Rollouts: how far each is, what its conditions and its gate found, and what an admin decides about it.

Making, starting, taking back and trying again are for the command line.
"""

from typing import Any, NamedTuple

from starlette.responses import Response

from device_manager.rollouts import states
from device_manager.rollouts.model import Rollout, bad
from device_manager.web.visit import Visit, number

MOST_REMARKS = 50
EVENTS = ("approve", "resume", "pause", "abort")
_LOOKS = {  # the colours of nodes' states
    states.RUNNING: "state-online",
    states.FINISHED: "state-quiet",
    states.PAUSED: "state-late",
    states.STOPPED: "state-lost",
}


class Finding(NamedTuple):
    """What the gate said: `node` is the one that it names, "" for none of the rollout's; `text` is the rest."""

    node: str
    text: str


def page(visit: Visit) -> Response:
    """Show all rollouts, the newest first."""
    found = visit.desk.rollouts().rollouts.all()
    return visit.page("rollouts.html", rollouts=found[::-1], css=css)


def rollout(visit: Visit) -> Response:
    """Show one rollout: its stages, what was found, and what can be decided."""
    return visit.page("rollout.html", **_found(visit))


def now(visit: Visit) -> Response:
    """Show how far it is, for a page that is open already."""
    return visit.fragment("rollout_now.html", **_found(visit))


def approve(visit: Visit) -> Response:
    """Approve a rollout that waits for it, or its next stage."""
    done = visit.desk.rollouts().rollouts.approve(_number(visit), scope=visit.scope)
    return visit.see(f"/rollouts/{done.id}", visit.words("Rollout {number} is approved", number=done.id))


def pause(visit: Visit) -> Response:
    """Offer nobody anything more; who is on the way goes on."""
    done = visit.desk.rollouts().rollouts.pause(_number(visit), scope=visit.scope)
    return visit.see(f"/rollouts/{done.id}", visit.words("Rollout {number} rests", number=done.id))


def resume(visit: Visit) -> Response:
    """Go on."""
    done = visit.desk.rollouts().rollouts.resume(_number(visit), scope=visit.scope)
    return visit.see(f"/rollouts/{done.id}", visit.words("Rollout {number} goes on", number=done.id))


def abort(visit: Visit) -> Response:
    """End a rollout; nodes that are updated stay so."""
    done = visit.desk.rollouts().rollouts.abort(_number(visit), scope=visit.scope)
    return visit.see(f"/rollouts/{done.id}", visit.words("Rollout {number} is ended", number=done.id))


def css(state: str) -> str:
    """Return a rollout's state as a class name."""
    return _LOOKS.get(state, "state-never-seen")


def events(found: Rollout) -> list[str]:
    """Return what people can decide about a rollout now; a stage is approved once, and only where that is asked for."""
    may = [event for event in EVENTS if (found.state, event) in states.ROLLOUT]
    last = found.stage == len(found.stages) - 1
    waits = found.rules.approve_stages and found.approved <= found.stage and not last
    if "approve" in may and found.state != states.WAITING and not waits:
        may.remove("approve")
    if "resume" in may and found.wants_back:
        may.remove("resume")
    return may


def finding(found: Rollout, line: str) -> Finding:
    """Return a line of the gate, as NODE/CHANNEL: TEXT or NODE: TEXT, with its node apart."""
    node = line.split(":", 1)[0].split("/", 1)[0]
    return Finding(node, line[len(node) :]) if node in found.updates else Finding("", line)


def _found(visit: Visit) -> dict[str, Any]:
    opened = visit.desk.rollouts()
    found = opened.rollouts.show(_number(visit))
    counted = [found.counts(index) for index in range(len(found.stages))]
    told = [one for one in found.updates.values() if one.reason]
    return {
        "r": found, "css": css, "events": events(found), "traffic": opened.traffic(found),
        "stages": [(stage, counts, bad(counts)) for stage, counts in zip(found.stages, counted, strict=True)],
        "findings": [finding(found, line) for line in found.judgement.findings] if found.judgement else [],
        "verdict": f"gate {found.judgement.verdict}" if found.judgement else "",
        "remarks": told[:MOST_REMARKS], "more": max(0, len(told) - MOST_REMARKS),
    }  # fmt: skip


def _number(visit: Visit) -> int:
    return number(visit.path["number"], "a rollout")
