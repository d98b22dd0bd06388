"""Alerts: what is open, what each means and needs; acknowledging, and silences with a reason and an end."""

from starlette.responses import Response

from device_manager.errors import UsageError
from device_manager.web.visit import Visit, number

MOST_CLOSED = 50


def page(visit: Visit) -> Response:
    """Show open alerts, silences that hold, and what was over lately."""
    alerts = visit.desk.alerts
    over = [alert for alert in alerts.alerts(closed=True, limit=MOST_CLOSED * 2) if alert.cleared_ms is not None]
    titles = {row.summary.node: row.site.title for row in visit.desk.snapshot().rows if row.site}
    return visit.page(
        "alerts.html", alerts=alerts.alerts(), silences=alerts.silences(), over=over[:MOST_CLOSED], titles=titles
    )


def acknowledge(visit: Visit) -> Response:
    """Say that somebody cares."""
    alert = visit.desk.alerts.acknowledge(_number(visit), visit.field("note", 500), scope=visit.scope)
    return visit.see("/alerts", visit.words("Alert {number} is yours now", number=alert.number))


def silence(visit: Visit) -> Response:
    """Tell nobody of this alert's rule at its nodes for some hours."""
    alert, hours = visit.desk.alerts.alert(_number(visit)), visit.field("hours")
    if not hours.isdecimal() or len(hours) > 3:
        raise UsageError(expected="1 to 720 hours", got=repr(hours), todo="type a number")
    visit.desk.alerts.silence(alert.rule, alert.nodes, int(hours) * 3600, visit.field("reason", 500), scope=visit.scope)
    return visit.see(
        "/alerts", visit.words("Alert {number} is silenced for {hours} h", number=alert.number, hours=hours)
    )


def end_silence(visit: Visit) -> Response:
    """Let a silence end now."""
    visit.desk.alerts.end_silence(_number(visit), scope=visit.scope)
    return visit.see("/alerts", visit.words("The silence is over"))


def _number(visit: Visit) -> int:
    return number(visit.field("number"), "an alert")
