"""Other settings are tried at the next start; they are kept when the manager answers, else taken back.

    prepare    new files beside the old ones, then trial.json in one step; the node restarts
    enter      every start counts itself in trial.json; after START_MAX starts the change is taken back
    keep       the manager has answered: node.json with the changes and the order's number, in one step
    take_back  it has not: node.json as it was, with the order's number and the reason

node.json is the one truth. Its "order" is the last decided one, [number, done, reason]; trial.json counts only while
its number is higher. So a power cut at any write leaves a node that runs on the old settings or on the new ones, and
knows which. Old certificates and keys are removed only after that.
"""

from binascii import hexlify

from firmware import ConfigError
from firmware.trust import files

START_MAX = 4


def last_counter(settings: dict) -> int:
    """The number of the newest order that was taken, decided or not."""
    return max(_decided(settings)[0], files.read_json(files.TRIAL).get("counter", 0))


def running(settings: dict) -> dict:
    """The trial that is not decided; empty when there is none."""
    trial = files.read_json(files.TRIAL)
    return trial if trial.get("counter", 0) > _decided(settings)[0] else {}


def answer(settings: dict) -> dict | None:
    """Fields of the reply to the newest order, None while it is tried."""
    if running(settings):
        return None
    counter, done, reason = _decided(settings)
    return {"command": counter, "ok": done, "reason": reason}


def prepare(counter: int, arguments: dict, settings: dict) -> None:
    """Keep a checked change for the next start."""
    changes = {"revision": arguments["revision"]}
    for name in ("wifi", "brokers"):
        if name in arguments:
            changes[name] = arguments[name]
    changes.update(arguments.get("timing", {}))
    tls = _tls(counter, arguments, settings.get("tls"))
    if tls is not None:
        changes["tls"] = tls
    trial = {"counter": counter, "within_s": arguments["within_s"], "starts": 0, "changes": changes}
    files.write_json(files.TRIAL, trial)


def _tls(counter: int, arguments: dict, tls: dict | None) -> dict | None:
    """Write the files of a change under names of their own; None when there are none."""
    if tls is None or not ("certificate" in arguments or "anchors" in arguments or "denied" in arguments):
        return None
    tls = dict(tls)
    for name in ("certificate", "key"):
        if name in arguments:
            tls[name] = "%s-%d.der" % (name, counter)
            files.write(tls[name], arguments[name])
    if "denied" in arguments:
        tls["denied"] = [hexlify(sum_).decode() for sum_ in arguments["denied"]]
    if "anchors" in arguments:
        tls["anchors"] = ["anchor-%d-%d.der" % (counter, i) for i in range(len(arguments["anchors"]))]
        for name, anchor in zip(tls["anchors"], arguments["anchors"]):
            files.write(name, anchor)
    return tls


def enter(settings: dict, check) -> dict:
    """Return the settings to start with; those of a trial carry "trial" [number, seconds that it may take].

    `check(settings)` completes the settings or raises ConfigError, which ends the trial.
    """
    trial = running(settings)
    if not trial:
        files.remove(files.TRIAL)
        files.sweep(settings.get("tls"))
        return settings
    if trial["starts"] >= START_MAX:
        take_back("restarted %d times while it was tried" % START_MAX)
        return settings
    trial["starts"] += 1
    files.write_json(files.TRIAL, trial)
    tried = dict(settings)
    tried.update(trial["changes"])
    try:
        check(tried)
    except ConfigError as error:
        take_back(str(error))
        return settings
    tried["trial"] = [trial["counter"], trial["within_s"]]
    return tried


def keep() -> dict:
    """Make the tried settings the settings; return the fields of the reply."""
    settings, trial = files.read_json(files.SETTINGS), files.read_json(files.TRIAL)
    settings.update(trial["changes"])
    return _decide(settings, trial["counter"], True, "")


def take_back(reason: str) -> dict:
    """Stay with the old settings; return the fields of the reply."""
    return _decide(files.read_json(files.SETTINGS), files.read_json(files.TRIAL)["counter"], False, reason[:200])


def _decide(settings: dict, counter: int, done: bool, reason: str) -> dict:
    settings["order"] = [counter, done, reason]
    files.write_json(files.SETTINGS, settings)
    files.remove(files.TRIAL)
    files.sweep(settings.get("tls"))
    return {"command": counter, "ok": done, "reason": reason}


def _decided(settings: dict) -> list:
    return settings.get("order") or [0, True, ""]
