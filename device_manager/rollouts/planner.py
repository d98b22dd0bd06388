"""`plan(rollout, nodes, now)`: what a rollout becomes, and what is to be done. Pure; called every few seconds.

One step: take in nodes that are new, follow what each node says (`following`), halt when a condition says so, else
promote a stage that is settled, soaked, judged good and approved, and offer the release to whom it is due.
A stage is settled when nobody in it is on the way and the sample is large enough; nodes that were not there since
they were offered the release wait and hold up nobody. After a halt updated nodes are offered the way back.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

from device_manager.rollouts import states
from device_manager.rollouts.buckets import assign
from device_manager.rollouts.following import follow
from device_manager.rollouts.model import Node, Rollout, Update, bad, sample
from device_manager.rollouts.windows import is_open
from firmware.wire import releases as wire


class Offer(NamedTuple):
    """Offer a number to a node."""

    node: str
    number: int
    attempt: int


class Withdraw(NamedTuple):
    """Offer a node nothing any more."""

    node: str


class Judge(NamedTuple):
    """Ask the gate about the updated nodes of a stage."""

    stage: int


class SignBack(NamedTuple):
    """Sign the release from which the nodes came under a new number."""

    number: int


Action = Offer | Withdraw | Judge | SignBack


class Step(NamedTuple):
    """The rollout after a step, and what is to be done."""

    rollout: Rollout
    actions: list[Action]


def plan(rollout: Rollout, nodes: Collection[Node], now_ms: int) -> Step:
    """Return the next step; the same arguments always give the same step."""
    known = {node.name: node for node in nodes}
    if rollout.state == states.STOPPED:
        return _stop(rollout, now_ms)
    if rollout.state not in (states.RUNNING, states.PAUSED):
        return Step(rollout, [])
    rollout = _take_in(rollout, known)
    rollout = follow(rollout, known, now_ms)
    actions: list[Action] = []
    if rollout.state == states.RUNNING:
        rollout = _halt_if_bad(rollout)
    if rollout.state == states.RUNNING:
        rollout, actions = _advance(rollout, now_ms)
    if rollout.state == states.RUNNING:
        rollout, offers = _offer(rollout, known, now_ms)
        actions += offers
    if rollout.state == states.PAUSED:
        actions += _hold(rollout, known)
    return Step(rollout, actions)


def _take_in(rollout: Rollout, known: Mapping[str, Node]) -> Rollout:
    """Give new nodes a stage: at the start all of them by `assign`, later ones the last stage."""
    new = [node for name, node in known.items() if name not in rollout.updates]
    if not new:
        return rollout
    last = len(rollout.stages) - 1
    stages = assign(rollout.id, rollout.stages, new) if not rollout.updates else {node.name: last for node in new}
    added = {name: Update(name, stage) for name, stage in sorted(stages.items())}
    return replace(rollout, updates={**rollout.updates, **added})


def _halt_if_bad(rollout: Rollout) -> Rollout:
    """Pause when the abort condition of any stage reached holds, or the gate found something."""
    for index, stage in enumerate(rollout.stages[: rollout.stage + 1]):
        counts = rollout.counts(index)
        if stage.abort.holds(bad(counts), sample(counts), counts.total()) and bad(counts):
            told = ", ".join(f"{counts[state]} {state}" for state in states.BAD if counts[state])
            why = f"stage {index + 1}: {told} of {sample(counts)}; stops at {stage.abort}"
            return halted(rollout, why)
    judged = rollout.judgement
    if rollout.rules.gate and judged and judged.verdict == "bad":
        return halted(rollout, f"measurements: {'; '.join(judged.findings[:3])}")
    return rollout


def halted(rollout: Rollout, why: str) -> Rollout:
    """Return the rollout paused, on the way back if its rules say so."""
    return replace(rollout.after("halt", why), wants_back=rollout.rules.take_back)


def _advance(rollout: Rollout, now_ms: int) -> tuple[Rollout, list[Action]]:
    """Settle, soak, judge and promote the running stage."""
    counts = rollout.counts(rollout.stage)
    actions: list[Action] = []
    if counts[wire.SUCCEEDED] and rollout.rules.gate and _judge_is_due(rollout, now_ms):
        actions.append(Judge(rollout.stage))
    if not rollout.settled_ms:
        if not _is_settled(rollout):
            return rollout, actions
        rollout = replace(rollout, settled_ms=now_ms)
    if now_ms - rollout.settled_ms < rollout.rules.soak_s * 1000:
        return rollout, actions
    percent = rollout.rules.success_percent
    if sample(counts) and counts[wire.SUCCEEDED] * 100 < percent * sample(counts):
        share = f"{counts[wire.SUCCEEDED]} of {sample(counts)} succeeded, {percent:g} % are needed"
        return halted(rollout, f"stage {rollout.stage + 1}: {share}"), actions
    waits = _waits_for(rollout, counts[wire.SUCCEEDED])
    return (replace(rollout, reason=waits), actions) if waits else (_promote(rollout), actions)


def _judge_is_due(rollout: Rollout, now_ms: int) -> bool:
    judged = rollout.judgement
    if judged is None or judged.stage != rollout.stage:
        return True
    return now_ms - judged.at_ms >= rollout.rules.gate_every_s * 1000


def _is_settled(rollout: Rollout) -> bool:
    """True when nobody is on the way, and who ended is enough, or everybody."""
    ended = waiting = 0
    for one in rollout.updates.values():
        if one.stage != rollout.stage:
            continue
        if one.state in states.ON_THE_WAY or (one.state == states.QUEUED and (one.began_ms or not one.offered_ms)):
            return False
        waiting += one.state in (states.QUEUED, wire.DEFERRED)
        ended += one.state in states.ENDED
    return waiting == 0 or ended >= rollout.rules.minimum


def _waits_for(rollout: Rollout, succeeded: int) -> str:
    """Return what a settled and soaked stage still waits for, "" for nothing."""
    judged = rollout.judgement
    if rollout.rules.gate and succeeded:
        if judged is None or judged.stage != rollout.stage or judged.at_ms < rollout.settled_ms:
            return "waits for the gate"
        if judged.verdict != "good":
            return f"waits for the gate: {'; '.join(judged.findings[:3]) or 'too few hours'}"
    last = rollout.stage == len(rollout.stages) - 1
    if rollout.rules.approve_stages and not last and rollout.approved <= rollout.stage:
        return f"waits for approval of stage {rollout.stage + 2}"
    return ""


def _promote(rollout: Rollout) -> Rollout:
    if rollout.stage < len(rollout.stages) - 1:
        return replace(rollout, stage=rollout.stage + 1, settled_ms=0, reason="")
    if any(one.state in (states.QUEUED, wire.DEFERRED) for one in rollout.updates.values()):
        return replace(rollout, reason="waits for nodes that are not there")
    return rollout.after("finish")


def _offer(rollout: Rollout, known: Mapping[str, Node], now_ms: int) -> tuple[Rollout, list[Action]]:
    """Offer the release to the nodes of the stages reached that have no offer, in order, `at_once` on the way."""
    updates = dict(rollout.updates)
    room = rollout.rules.at_once - sum(_is_on_the_way(one) for one in updates.values())
    actions: list[Action] = []
    for name, one in rollout.updates.items():
        if room <= 0:
            break
        if one.state != states.QUEUED or one.offered_ms or one.stage > rollout.stage or name not in known:
            continue
        if is_open(rollout.rules.window, known[name].zone, now_ms):
            updates[name] = one._replace(offered_ms=now_ms, since_ms=now_ms, crashes=known[name].crashes)
            actions.append(Offer(name, rollout.number, one.attempt))
            room -= known[name].online
    return replace(rollout, updates=updates), actions


def _is_on_the_way(one: Update) -> bool:
    return one.state in states.ON_THE_WAY or (one.state == states.QUEUED and one.began_ms > 0)


def _hold(rollout: Rollout, known: Mapping[str, Node]) -> list[Action]:
    """Withdraw what nobody has begun; on the way back offer the old release to whoever runs the new one."""
    actions: list[Action] = []
    if rollout.wants_back and rollout.back is None and rollout.came_from:
        actions.append(SignBack(rollout.came_from))
    for name, one in rollout.updates.items():
        runs_it = name in known and known[name].release == rollout.number
        if rollout.wants_back and rollout.back and runs_it and one.offered_ms:
            actions.append(Offer(name, rollout.back, 0))
        elif one.offered_ms and not (one.state == wire.SUCCEEDED or known_back(rollout, known.get(name))):
            actions.append(Withdraw(name))
    return actions


def known_back(rollout: Rollout, node: Node | None) -> bool:
    """True for a node that has been taken back: its offer is done and may stand."""
    return node is not None and rollout.back is not None and node.release == rollout.back


def _stop(rollout: Rollout, now_ms: int) -> Step:
    """Cancel whatever is open, once."""
    updates, actions = dict(rollout.updates), []
    for name, one in rollout.updates.items():
        state = states.UPDATE.get((one.state, "cancelled"))
        if state:
            updates[name] = one._replace(state=state, reason="the rollout was stopped", since_ms=now_ms)
            actions.append(Withdraw(name))
    return Step(replace(rollout, updates=updates) if actions else rollout, list[Action](actions))
