"""Who is told by which way, and in which words. Pure; the ways themselves are adapters.

ways = read_ways(document)                     # [mail], [webhook], [mqtt] of alerts.toml
message(notice) -> subject and text of a mail
as_document(notice) -> what a webhook and MQTT carry
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from device_manager.errors import SetupError
from device_manager.monitoring.alert import CLEARED, Notice
from device_manager.monitoring.rules import SEVERITIES
from device_manager.overview import iso

SECURITY = ("starttls", "tls", "none")
FIRST_PAUSE_S, LONGEST_PAUSE_S, GIVEN_UP_S = 10.0, 600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Mail:
    """[mail]: by SMTP; `password_variable` names the environment variable with the password, "" for none."""

    host: str
    sender: str
    to: tuple[str, ...]
    port: int = 587
    security: str = "starttls"
    user: str = ""
    password_variable: str = ""
    severity: str = "warning"


@dataclass(frozen=True, slots=True)
class Webhook:
    """[webhook]: a POST of JSON."""

    url: str
    severity: str = "warning"


@dataclass(frozen=True, slots=True)
class Mqtt:
    """[mqtt]: a retained message on the fleet's own broker."""

    severity: str = "warning"


class Ways(NamedTuple):
    """The ways that a fleet uses; None: not this one."""

    mail: Mail | None = None
    webhook: Webhook | None = None
    mqtt: Mqtt | None = None


class Message(NamedTuple):
    """A mail."""

    subject: str
    text: str


def read_ways(document: Mapping[str, Any], where: str = "alerts.toml") -> Ways:
    """Return the ways of a document; SetupError names what is wrong. Unknown tables are refused, but [rules]."""
    unknown = sorted(set(document) - {"mail", "webhook", "mqtt", "rules"})
    if unknown:
        _refuse("only [mail], [webhook], [mqtt] and [rules]", f"[{unknown[0]}]", where)
    mail, webhook, mqtt = (document.get(name) for name in ("mail", "webhook", "mqtt"))
    return Ways(
        None if mail is None else _mail(_checked("mail", mail, _MAIL, where), where),
        None if webhook is None else _webhook(_checked("webhook", webhook, _WEBHOOK, where), where),
        None if mqtt is None else Mqtt(**_checked("mqtt", mqtt, _MQTT, where)),
    )


def is_for(severity: str, notice: Notice) -> bool:
    """True when a way that begins at `severity` carries the notice."""
    return SEVERITIES.index(notice.alert.severity) >= SEVERITIES.index(severity)


def pause_s(tries: int) -> float:
    """Return how long to wait after so many failures."""
    return float(min(FIRST_PAUSE_S * 2.0 ** max(0, tries - 1), LONGEST_PAUSE_S))


def message(notice: Notice, fleet: str) -> Message:
    """Return a mail: value, limit, since when, next step."""
    alert = notice.alert
    over = notice.kind == CLEARED
    lines = [
        alert.text,
        "",
        f"since      {iso(alert.since_ms / 1000)}",
        *([f"until      {iso((alert.cleared_ms or 0) / 1000)}"] if over else []),
        f"severity   {alert.severity}{', because nobody acknowledged it' if notice.kind == 'escalated' else ''}",
        f"nodes      {', '.join(alert.nodes) or '-'}",
        *([f"with it    {', '.join(alert.explained)}"] if alert.explained else []),
        *([] if over else [f"next step  {alert.todo}", f"acknowledge with `citynode alert ack {alert.number}`"]),
    ]
    return Message(f"[{fleet}] {'over: ' if over else ''}{alert.text}", "\n".join(lines) + "\n")


def as_document(notice: Notice, fleet: str) -> dict[str, Any]:
    """Return a notice as JSON can hold it; times ISO 8601 UTC."""
    alert = notice.alert
    return {
        "fleet": fleet,
        "kind": notice.kind,
        "number": alert.number,
        "rule": alert.rule,
        "severity": alert.severity,
        "text": alert.text,
        "nodes": list(alert.nodes),
        "place": alert.place,
        "value": alert.value,
        "limit": alert.limit,
        "unit": alert.unit,
        "since": iso(alert.since_ms / 1000),
        "until": None if alert.cleared_ms is None else iso(alert.cleared_ms / 1000),
        "next_step": alert.todo,
    }


_MAIL = {"host": str, "from": str, "to": list, "port": int, "security": str, "user": str, "password_variable": str,
         "severity": str}  # fmt: skip
_WEBHOOK = {"url": str, "severity": str}
_MQTT = {"severity": str}


def _checked(name: str, table: Any, types: Mapping[str, type], where: str) -> dict[str, Any]:
    """Return a table whose keys and types are right."""
    if not isinstance(table, dict):
        _refuse(f"a table [{name}]", repr(table), where)
    for key, value in table.items():
        if key not in types:
            _refuse(f"a known key in [{name}]", key, where)
        if not isinstance(value, types[key]) or isinstance(value, bool):
            _refuse(f"{types[key].__name__} for {key} in [{name}]", repr(value), where)
    if table.get("severity", "info") not in SEVERITIES:
        _refuse(f"severity {', '.join(SEVERITIES)} in [{name}]", repr(table["severity"]), where)
    return dict(table)


def _mail(table: dict[str, Any], where: str) -> Mail:
    for key in ("host", "from", "to"):
        if not table.get(key):
            _refuse(f"{key} in [mail]", "none", where)
    if table.get("security", "tls") not in SECURITY:
        _refuse(f"security {', '.join(SECURITY)} in [mail]", repr(table["security"]), where)
    return Mail(sender=table.pop("from"), to=tuple(map(str, table.pop("to"))), **table)


def _webhook(table: dict[str, Any], where: str) -> Webhook:
    if not str(table.get("url", "")).startswith(("http://", "https://")):
        _refuse("an http or https address for url in [webhook]", repr(table.get("url")), where)
    return Webhook(**table)


def _refuse(expected: str, got: str, where: str) -> None:
    raise SetupError(expected=f"{expected} of {where}", got=got, todo="see device_manager/README.md, Alerts")
