"""What became of each node's update, from its own words and from what the manager sees by itself. Pure.

A node that is offline when it is offered the release waits for ever; one that was there has begun, and a time limit
runs whatever becomes of it. A manager that was away counts its absence against nobody.
"""

from collections.abc import Mapping
from dataclasses import replace

from device_manager.rollouts import states
from device_manager.rollouts.model import Node, Rollout, Update
from firmware.wire import releases as wire

AWAY_MS = 15 * 60_000
"""A manager that did not look for so long was away."""

OTHERS = 3
"""So many other nodes must be known to tell a silent node from a place without network."""


def follow(rollout: Rollout, known: Mapping[str, Node], now_ms: int) -> Rollout:
    """Return the rollout with its updates after what is known now."""
    away_ms = max(0, now_ms - rollout.looked_ms)
    present_ms = now_ms if away_ms > AWAY_MS else rollout.present_ms
    away_ms = away_ms if rollout.looked_ms and away_ms > AWAY_MS else 0
    limit_ms = rollout.rules.silent_s * 1000
    is_outage = now_ms - present_ms <= limit_ms or _outage(rollout, known)
    updates = {
        name: _follow(rollout, one, known.get(name), now_ms, away_ms, is_outage)
        for name, one in rollout.updates.items()
    }
    return replace(rollout, updates=updates, looked_ms=now_ms, present_ms=present_ms)


def _outage(rollout: Rollout, known: Mapping[str, Node]) -> bool:
    """True when half of the nodes that were not touched are silent too: then it is not the release."""
    others = [node for name, node in known.items() if name in rollout.updates and not rollout.updates[name].offered_ms]
    silent = sum(node.quiet_s > rollout.rules.silent_s for node in others)
    return len(others) >= OTHERS and silent * 2 >= len(others)


def _follow(rollout: Rollout, one: Update, node: Node | None, now_ms: int, away_ms: int, is_outage: bool) -> Update:
    if one.state in states.BAD and one.state != states.TIMED_OUT:
        return one
    if node is None:
        return _after(one, "left", "is none of the rollout's nodes any more", now_ms)
    if one.state == wire.SUCCEEDED:
        event, reason = _watch(rollout, one, node, is_outage)
        return _after(one, event, reason, now_ms)
    if not one.offered_ms:
        event, reason = _before_offer(rollout, one, node)
        return _after(one, event, reason, now_ms)
    told = node.told
    heard = told is not None and (told.number, told.attempt) == (rollout.number, one.attempt)
    if one.began_ms:
        one = one._replace(began_ms=one.began_ms + away_ms) if away_ms else one
    elif heard or node.online:
        one = one._replace(began_ms=now_ms)
    event, reason = _heard(rollout, node) if heard else ("", "")
    after = _after(one, event, reason, now_ms, node.crashes)
    if after.began_ms and now_ms - after.began_ms > rollout.rules.timeout_s * 1000:
        limit = f"{rollout.rules.timeout_s / 3600:g} h"
        return _after(after, "overdue", f"{after.state} and no end within {limit}", now_ms)
    return after


def _before_offer(rollout: Rollout, one: Update, node: Node) -> tuple[str, str]:
    if rollout.number in node.quarantined and not one.attempt:
        return "quarantined", f"release {rollout.number} failed here before; `retry` tries it again"
    told = node.told
    under_way = told is not None and told.number == rollout.number and told.state in states.ON_THE_WAY
    if node.release == rollout.number and not under_way:
        return "already", f"runs release {rollout.number} already"
    return "", ""


def _heard(rollout: Rollout, node: Node) -> tuple[str, str]:
    if node.told is None or node.told.state is None:
        return "", ""
    if node.told.state != wire.SUCCEEDED:
        return node.told.state, node.told.reason
    if node.release == rollout.number:
        return "proven", ""
    return "unproven", f"says succeeded, and runs release {node.release}"


def _watch(rollout: Rollout, one: Update, node: Node, is_outage: bool) -> tuple[str, str]:
    """Judge a node that has succeeded; it is watched as long as the rollout runs."""
    if rollout.back is not None and node.release == rollout.back:
        return "reverted", f"taken back, as release {rollout.back}"
    if node.release not in (rollout.number, None):
        return "reverted", f"runs release {node.release} again"
    crashes = node.crashes - one.crashes
    if crashes >= rollout.rules.crashes:
        return "crashed", f"crashed {crashes} times since"
    if node.quiet_s > rollout.rules.silent_s and not is_outage:
        return "silent", f"silent for {node.quiet_s / 3600:.1f} h"
    return "", ""


def _after(one: Update, event: str, reason: str, now_ms: int, crashes: int | None = None) -> Update:
    state = states.UPDATE.get((one.state, event)) if event else None
    if state is None or (state == one.state and reason == one.reason):
        return one
    since_ms = one.since_ms if state == one.state else now_ms
    kept = crashes if state == wire.SUCCEEDED and crashes is not None else one.crashes
    return one._replace(state=state, reason=reason, since_ms=since_ms, crashes=kept)
