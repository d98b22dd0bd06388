"""Composition root of alerts: the service for commands and pages, and the thread of the running manager.

with open_alerts(settings.load(directory)) as alerts:
    print(alerts.alerts())
"""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_monitoring import SqlAlerts
from device_manager.adapters.store_operations import Operations
from device_manager.audit import Audit
from device_manager.errors import CitynodeError, SetupError
from device_manager.monitoring.alert import RAISED, Alert, Notice
from device_manager.monitoring.delivery import read_ways
from device_manager.monitoring.rules import Rule, read, shipped
from device_manager.monitoring.service import Alerts
from device_manager.settings import Settings

FILE_NAME = "alerts.toml"


@contextmanager
def open_alerts(settings: Settings) -> Iterator[Alerts]:
    """Open alerts and health of a data directory, beside a running manager or not."""
    operations = Operations(settings.database)
    try:
        clock = SystemClock()
        yield Alerts(SqlAlerts(operations), Audit(SqlAudit(operations), clock), clock)
    finally:
        operations.close()


def load_rules(settings: Settings) -> dict[str, Rule]:
    """Return the rules of a fleet: what ships, changed by [rules.*] of its alerts.toml; SetupError if that is wrong."""
    return read(document(settings).get("rules", {}), base=shipped())


def document(settings: Settings) -> dict[str, Any]:
    """Return the fleet's alerts.toml; empty when there is none."""
    path = settings.directory / FILE_NAME
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(expected=f"TOML in {path}", got=str(error), todo="mend the file") from error


def send_test(settings: Settings, now_ms: int) -> list[tuple[str, str]]:
    """Send a test by each way but MQTT; return (way, "sent" or what went wrong)."""
    from device_manager.adapters.notify import senders

    found = []
    for way, (severity, send) in senders(read_ways(document(settings)), settings.name, None).items():
        try:
            send(Notice(RAISED, _test_alert(severity, now_ms)))
        except (OSError, CitynodeError) as error:
            found.append((way, str(error)))
        else:
            found.append((way, "sent"))
    return found


def _test_alert(severity: str, now_ms: int) -> Alert:
    return Alert(
        number=0,
        rule="test",
        place="test",
        severity=severity,
        title="this is a test, nothing is wrong",
        nodes=(),
        subjects=(),
        explained=(),
        value=None,
        worst=None,
        limit=0.0,
        unit="",
        since_ms=now_ms,
        raised_ms=now_ms,
        cleared_ms=None,
        next_step="none",
    )
