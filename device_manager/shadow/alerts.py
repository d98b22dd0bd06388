"""What somebody should look at, and who speaks as a node. Pure.

An alert is {"kind", "text", "since_ms", "last_ms", "count"}; one of a kind is kept, the newest text wins.

    new log   another outbox than before: the node was formatted or replaced, or a second device uses its identity
    clone     an outbox or a boot that had been followed by another one speaks again: two devices, one identity
    restore   the store lacks what the node has let go on its word: an older database was restored

Only states that carry a time later than all before them count: the broker may deliver an old one twice.
"""

from collections.abc import Sequence

NEW_LOG, CLONE, RESTORE = "new log", "clone", "restore"
REMEMBERED = 8  # speakers

Alert = dict[str, object]
Speaker = list[int]  # [log, boot]


def raised(alerts: Sequence[Alert], kind: str, text: str, now_ms: int) -> list[Alert]:
    """Return the alerts with this one among them."""
    old = next((alert for alert in alerts if alert["kind"] == kind), None)
    since_ms, count = (old["since_ms"], old["count"]) if old else (now_ms, 0)
    new = {"kind": kind, "text": text, "since_ms": since_ms, "last_ms": now_ms, "count": int(str(count)) + 1}
    return [alert for alert in alerts if alert is not old] + [new]


def suspicion(speakers: Sequence[Speaker], log: int, boot: int) -> tuple[str, str] | None:
    """Return (kind, text) when the next to speak makes one wonder; `speakers` are those before, the last one last."""
    if not speakers or speakers[-1] == [log, boot]:
        return None
    last_log, last_boot = speakers[-1]
    former = speakers[:-1]
    if [log, boot] in former or (log != last_log and log in {speaker[0] for speaker in former}):
        return CLONE, (
            f"log {log:08x} (boot {boot}) speaks again after log {last_log:08x} (boot {last_boot}): two devices use"
            " this identity; revoke it and provision both"
        )
    if log != last_log:
        return NEW_LOG, (
            f"log {log:08x} after log {last_log:08x}: its outbox was formatted, or a second device uses this identity"
        )
    return None


def with_speaker(speakers: Sequence[Speaker], log: int, boot: int) -> list[Speaker]:
    """Return the speakers after this one, each once, at most REMEMBERED."""
    return ([speaker for speaker in speakers if speaker != [log, boot]] + [[log, boot]])[-REMEMBERED:]
