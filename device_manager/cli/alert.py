"""`citynode alert`: what is wrong in the fleet, and what to do about it."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_manager.cli.output import Data, Json, age, print_json, print_rows, say

if TYPE_CHECKING:
    from device_manager.monitoring import Alert

app = typer.Typer(
    help="Alerts: what is wrong in the fleet, and what to do about it.", no_args_is_help=True, rich_markup_mode=None
)
_COLUMNS = ("number", "severity", "since", "what", "acknowledged", "next step")


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="The newest of all, those that are over too.")] = False,
    node: Annotated[str | None, typer.Option(help="Only alerts about this node.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most rows.")] = 200,
    data: Data = None,
    json: Json = False,
) -> None:
    """List open alerts, the worst and longest first."""
    from device_manager import settings
    from device_manager.alerting import open_alerts

    with open_alerts(settings.load(data or settings.default_directory())) as alerts:
        found = alerts.alerts(closed=all_, node=node, limit=limit)
    if json:
        from dataclasses import asdict

        print_json([asdict(alert) for alert in found])
        return
    if not found:
        say("no alert" if all_ else "no alert is open")
        return
    print_rows(_COLUMNS, [_cells(alert, time.time()) for alert in found])


def _cells(alert: "Alert", now_s: float) -> list[Any]:
    state = "over" if alert.cleared_ms is not None else "silenced" if alert.silenced else alert.severity
    since = age(max(0, int(now_s - alert.since_ms / 1000)))
    return [alert.number, state, since, alert.text, alert.acknowledged_by, alert.todo]


@app.command()
def ack(
    number: Annotated[int, typer.Argument(help="Number of the alert.")],
    note: Annotated[str, typer.Option(help="What you do about it.")] = "",
    data: Data = None,
) -> None:
    """Say that you care: the alert is not escalated any more."""
    from device_manager import settings
    from device_manager.alerting import open_alerts
    from device_manager.fleet import local

    with open_alerts(settings.load(data or settings.default_directory())) as alerts:
        alert = alerts.acknowledge(number, note, scope=local())
    print(f"acknowledged {number}: {alert.text}")


@app.command()
def silence(
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    nodes: Annotated[list[str] | None, typer.Argument(help="Ids of nodes; none: all.")] = None,
    rule: Annotated[str, typer.Option(help="Only this rule; see `citynode alert rules`.")] = "",
    hours: Annotated[float, typer.Option(min=0.01, max=720, help="How long.")] = 4,
    data: Data = None,
) -> None:
    """Tell nobody of these nodes for some hours; alerts are kept all the same."""
    from device_manager import settings
    from device_manager.alerting import load_rules, open_alerts
    from device_manager.errors import UsageError
    from device_manager.fleet import local, open_fleet

    found = settings.load(data or settings.default_directory())
    with open_fleet(found) as fleet:
        for node in nodes or []:
            fleet.registry.node(node)
    if rule and rule not in load_rules(found):
        raise UsageError(expected="a rule", got=repr(rule), todo="see `citynode alert rules`")
    with open_alerts(found) as alerts:
        made = alerts.silence(rule, nodes or [], hours * 3600, reason, scope=local())
    print(f"silence {made.number} holds for {hours:g} h; `citynode alert unsilence {made.number}` ends it")


@app.command()
def unsilence(number: Annotated[int, typer.Argument(help="Number of the silence.")], data: Data = None) -> None:
    """Let a silence end now."""
    from device_manager import settings
    from device_manager.alerting import open_alerts
    from device_manager.fleet import local

    with open_alerts(settings.load(data or settings.default_directory())) as alerts:
        alerts.end_silence(number, scope=local())
    print(f"silence {number} is over")


@app.command()
def silences(data: Data = None, json: Json = False) -> None:
    """List the silences that hold."""
    from device_manager import settings
    from device_manager.alerting import open_alerts
    from device_manager.overview import iso

    with open_alerts(settings.load(data or settings.default_directory())) as alerts:
        found = alerts.silences()
    if json:
        print_json([one._asdict() for one in found])
        return
    rows = [(s.number, s.rule or "all", ", ".join(s.nodes) or "all", iso(s.until_ms / 1000), s.reason, s.actor)
            for s in found]  # fmt: skip
    print_rows(("number", "rule", "nodes", "until", "reason", "by"), rows)


@app.command("test")
def send_test(data: Data = None) -> None:
    """Send a test by mail and webhook, and say what came of it; MQTT is told by the running manager only."""
    from device_manager import alerting, settings

    outcomes = alerting.send_test(settings.load(data or settings.default_directory()), int(time.time() * 1000))
    if not outcomes:
        say("no way is configured; see alerts.toml in device_manager/README.md")
        raise typer.Exit(2)
    print_rows(("way", "outcome"), outcomes)
    if any(outcome != "sent" for _, outcome in outcomes):
        raise typer.Exit(1)


@app.command()
def rules(data: Data = None, json: Json = False) -> None:
    """Show what the fleet is watched for, with limits."""
    from device_manager import settings
    from device_manager.alerting import load_rules

    found = load_rules(settings.load(data or settings.default_directory())).values()
    if json:
        from dataclasses import asdict

        print_json([asdict(rule) for rule in found])
        return
    rows = [
        (r.name, r.on, r.fact, f"{'>' if r.above is not None else '<'} {r.create:g}", f"{r.clear:g}", r.unit,
         age(int(r.for_s)), r.severity if r.enabled else "off", r.title)
        for r in found
    ]  # fmt: skip
    print_rows(("rule", "on", "fact", "limit", "clear", "unit", "for", "severity", "what"), rows)
