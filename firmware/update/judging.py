"""Is this offer one that this node may follow: the signatures, then `plan`. Loaded for a moment: it needs 10 kB."""

from firmware.update import IMAGE_NOW, UpdateError, plan, running, slots
from firmware.update.slots import read
from firmware.wire import progress


def judge(offer: dict, node) -> tuple:
    """Return (fields of the root and its steps, or None; number; state and reason of the end, if it is one)."""
    try:
        root, expires_s = plan.open_offer(offer["root"], offer["offer"], node.keys)
    except UpdateError as error:
        return None, 0, progress.REJECTED, str(error)
    number, bad, confirmed = root["number"], slots.bad(), slots.confirmed()[:1]
    if bad and (bad.number, bad.attempt) == (number, offer.get("attempt", 0)):
        return None, number, progress.ROLLED_BACK, bad.reason
    if confirmed and confirmed[0].number == number == running.number_of(running.slot()):
        return None, number, progress.SUCCEEDED, ""
    reason = plan.objection(root, expires_s, _facts(node, confirmed))
    if reason:
        return None, number, progress.REJECTED, reason
    root["steps"] = plan.steps(root, {"tree": running.tree_of(running.slot()), "image": read(IMAGE_NOW)})
    return root, number, "", ""


def _facts(node, confirmed: list) -> dict:
    return {
        "now_s": node.clock.unix_s() or node.clock.floor_s,
        "family": running.family(),
        "board": node.settings["board"],
        "interpreter": running.interpreter(),
        "confirmed": confirmed[0].number if confirmed else 0,
    }
