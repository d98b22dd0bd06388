"""Takes a signed order: verifies it, refuses what is old, and says what the app must do.

An order comes again until it was answered (it is sent at QoS 0). One that was decided is answered again and not done
again; one that is being tried is not answered yet.
"""

from firmware.trust import files, trial
from firmware.wire import WireError, cose, orders

RESTART, WIPE = "restart", "wipe"


def take(signed: bytes, node: str, now_s: int | None) -> tuple:
    """Return (reply fields or None, '' or RESTART or WIPE); WireError for what nobody whom we trust has signed."""
    payload = cose.verify(signed, files.read_keys())
    settings = files.read_json(files.SETTINGS)
    order = orders.check(payload, node, 0, None)
    counter = order["counter"]
    if counter == trial.last_counter(settings):
        return trial.answer(settings), ""
    try:
        order = orders.check(payload, node, trial.last_counter(settings), now_s)
    except WireError as error:
        return _refuse(counter, str(error)), ""
    if order["name"] == "decommission":
        return {"command": counter, "ok": True, "reason": ""}, WIPE
    if order["arguments"]["revision"] <= settings.get("revision", 0):
        return _refuse(counter, "expected a revision above %d" % settings.get("revision", 0)), ""
    if trial.running(settings):
        return _refuse(counter, "expected no other change while one is tried"), ""
    trial.prepare(counter, order["arguments"], settings)
    return None, RESTART


def _refuse(counter: int, reason: str) -> dict:
    return {"command": counter, "ok": False, "reason": reason[:200]}
