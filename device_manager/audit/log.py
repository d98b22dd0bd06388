"""Entries of the audit log, the port behind which they are kept, and the one way to add one."""

import json
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from device_manager.ports import Clock
from device_manager.scopes import Scope

Facts = Mapping[str, object]


class Entry(NamedTuple):
    """One action; `number` counts from 1, `before` and `after` are JSON texts."""

    number: int
    at_ms: int
    actor: str
    role: str
    action: str
    subject: str
    before: str
    after: str


class AuditLog(Protocol):
    """Where entries are kept. There is no way to change or remove one."""

    def append(self, entry: Entry) -> int:
        """Keep an entry (its `number` is not looked at); durable when this returns; return its number."""
        ...

    def entries(self, *, before: int | None = None, limit: int = 100, subject: str | None = None) -> list[Entry]:
        """Return the newest entries first, those below number `before` if given, at most `limit`."""
        ...


class Audit:
    """Adds entries with the time and who is acting."""

    def __init__(self, log: AuditLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    def record(
        self, scope: Scope, action: str, subject: str, before: Facts | None = None, after: Facts | None = None
    ) -> int:
        """Keep what `scope` did; return the entry's number. TypeError for facts that JSON cannot hold."""
        now_ms = self._clock.now_ms()
        return self._log.append(Entry(0, now_ms, *scope, action, subject, _json(before), _json(after)))

    def entries(self, *, before: int | None = None, limit: int = 100, subject: str | None = None) -> list[Entry]:
        """See `AuditLog.entries`."""
        return self._log.entries(before=before, limit=limit, subject=subject)


def _json(facts: Facts | None) -> str:
    return json.dumps(facts or {}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
