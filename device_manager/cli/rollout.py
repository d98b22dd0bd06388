"""`citynode rollout`: move groups of nodes to a release, stage by stage."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from device_manager.cli.output import Data, Json, age, print_json, print_rows, say

app = typer.Typer(
    help="Rollouts: groups of nodes moved to a release, stage by stage.", no_args_is_help=True, rich_markup_mode=None
)
Number = Annotated[int, typer.Argument(min=1, help="Number of the rollout.")]
DEFAULT_STAGES = ("5", "20%", "all")
_WATCH_S = 2.0
_REST = {
    "draft": "not started",
    "waiting_for_approval": "waits for `citynode rollout approve`",
    "ready": "not started",
    "paused": "rests until `citynode rollout resume` or `abort`",
    "finished": "done",
    "stopped": "ended",
}


@app.command()
def create(
    release: Annotated[int, typer.Argument(min=1, help="Number of the release.")],
    stage: Annotated[
        list[str] | None, typer.Option(help="5, 10%, group:NAME or all; without: 5, 20%, all. The first is the canary.")
    ] = None,
    group: Annotated[str, typer.Option(help="Only nodes of this group.")] = "",
    soak_hours: Annotated[float, typer.Option(min=0, help="How long a settled stage is watched.")] = 24.0,
    timeout_hours: Annotated[
        float, typer.Option(min=0.01, help="An update that has begun counts as bad after this.")
    ] = 6.0,
    silent_hours: Annotated[
        float, typer.Option(min=0.01, help="An updated node that is silent so long counts as bad.")
    ] = 2.0,
    stop_at: Annotated[
        list[str] | None, typer.Option(help="By stage: 2 (bad nodes) or 5%/20 (of at least 20).")
    ] = None,
    success: Annotated[float, typer.Option(min=0, max=100, help="Percent of a stage that must succeed.")] = 80.0,
    minimum: Annotated[int, typer.Option(min=1, help="So many must have ended before a stage can be settled.")] = 3,
    window: Annotated[str, typer.Option(help="Offer only then, local time: 22:00-05:00.")] = "",
    approval: Annotated[bool, typer.Option(help="The rollout waits for `approve` before it can start.")] = False,
    approve_stages: Annotated[bool, typer.Option(help="Each stage waits for `approve`.")] = False,
    gate: Annotated[bool, typer.Option(help="Compare measurements before a stage is promoted.")] = True,
    take_back: Annotated[bool, typer.Option(help="A halt takes updated nodes back by itself.")] = True,
    back_to: Annotated[int | None, typer.Option(help="The release to go back to; else what most nodes run.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a rollout; it does nothing before `start`."""
    from device_manager.fleet import local
    from device_manager.rollouts.model import Rules, parse_condition, parse_stage
    from device_manager.rollouts.service import Wanted

    stages = [parse_stage(text) for text in stage or DEFAULT_STAGES]
    for index, text in enumerate((stop_at or [])[: len(stages)]):
        stages[index] = stages[index]._replace(abort=parse_condition(text))
    soak_s, timeout_s, silent_s = (round(hours * 3600) for hours in (soak_hours, timeout_hours, silent_hours))
    rules = Rules(
        success_percent=success, minimum=minimum, soak_s=soak_s, timeout_s=timeout_s, silent_s=silent_s,
        window=window, approve_stages=approve_stages, gate=gate, take_back=take_back,
    )  # fmt: skip
    wanted = Wanted(release, tuple(stages), group, rules, approval, back_to)
    with _open(data) as opened:
        made = opened.rollouts.create(wanted, scope=local())
    if json:
        print_json({"rollout": made.id, "state": made.state, "release": made.number, "back_to": made.came_from})
        return
    back = f"back to release {made.came_from}" if made.came_from else "no way back: the nodes run code of no release"
    print(f"rollout {made.id} of release {made.number}: {made.state}; {back}; next: `citynode rollout plan {made.id}`")


@app.command()
def plan(number: Number, data: Data = None, json: Json = False) -> None:
    """Show who gets the release in which stage, and why."""
    with _open(data) as opened:
        rollout, nodes = opened.rollouts.preview(number)
    columns = ("stage", "takes", "node", "board", "district", "supply", "runs", "state", "reason")
    rows = []
    for one in sorted(rollout.updates.values(), key=lambda one: (one.stage, one.node)):
        node, takes = nodes.get(one.node), rollout.stages[one.stage].text
        known = (node.board, node.district, node.supply, node.release) if node else ("", "", "", None)
        rows.append((one.stage + 1, takes, one.node, *known, one.state, one.reason))
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_rows(columns, rows)


@app.command()
def status(
    number: Number,
    watch: Annotated[
        bool, typer.Option("--watch", help="Print anew whenever something changes, until it is over.")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show stages, states, bytes sent and saved, time to finish, and what the gate found."""
    said: dict[str, Any] = {}
    while True:
        with _open(data) as opened:
            rollout = opened.rollouts.show(number)
            found = _status(rollout, opened.traffic(rollout))
        if found != said:
            print_json(found) if json else _print_status(found)
        said = found
        if not watch or rollout.state in ("finished", "stopped"):
            return
        time.sleep(_WATCH_S)


def _status(rollout: Any, traffic: Any) -> dict[str, Any]:
    counts = [rollout.counts(index) for index in range(len(rollout.stages))]
    bad = [one for one in rollout.updates.values() if one.reason]
    return {
        "rollout": rollout.id,
        "release": rollout.number,
        "state": rollout.state,
        "reason": rollout.reason,
        "stage": rollout.stage + 1,
        "nodes": len(rollout.updates),
        "stages": [
            {
                "stage": index + 1,
                "takes": stage.text,
                "nodes": counts[index].total(),
                **dict(sorted(counts[index].items())),
            }
            for index, stage in enumerate(rollout.stages)
        ],
        "bytes_sent": traffic.sent_bytes,
        "bytes_saved": max(0, traffic.whole_bytes - traffic.sent_bytes),
        "seconds_left_at_least": _left_s(rollout),
        "back": rollout.back,
        "gate": list(rollout.judgement.findings) if rollout.judgement else [],
        "gate_verdict": rollout.judgement.verdict if rollout.judgement else None,
        "remarks": {one.node: f"{one.state}: {one.reason}" for one in bad},
    }


def _left_s(rollout: Any) -> int | None:
    """Return the least that is left: the soaks of the stages to come, and the rest of this one."""
    if rollout.state != "running":
        return None
    soaked_s = (rollout.looked_ms - rollout.settled_ms) // 1000 if rollout.settled_ms else 0
    stages: int = len(rollout.stages) - rollout.stage
    return max(0, int(rollout.rules.soak_s) * stages - int(soaked_s))


def _print_status(found: dict[str, Any]) -> None:
    why = f": {found['reason']}" if found["reason"] else ""
    print(f"rollout {found['rollout']} of release {found['release']}: {found['state']}{why}")
    rows = []
    for stage in found["stages"]:
        here = " ".join(f"{count} {name}" for name, count in stage.items() if name not in ("stage", "takes", "nodes"))
        rows.append((stage["stage"], stage["takes"], stage["nodes"], here or None))
    print_rows(("stage", "takes", "nodes", "states"), rows)
    left = age(found["seconds_left_at_least"])
    rest = f"at least {left} left" if left else _REST.get(found["state"], "the time left is not known")
    print(f"sent {found['bytes_sent']} bytes, saved {found['bytes_saved']}; {rest}")
    for line in found["gate"]:
        print(f"gate: {line}")
    for node, text in found["remarks"].items():
        print(f"{node}: {text}")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List all rollouts."""
    columns = ("rollout", "release", "group", "state", "stage", "nodes", "succeeded", "reason")
    with _open(data) as opened:
        found = opened.rollouts.all()
    rows = [
        (r.id, r.number, r.group or None, r.state, f"{r.stage + 1} of {len(r.stages)}", len(r.updates),
         r.counts()["succeeded"], r.reason or None)
        for r in found
    ]  # fmt: skip
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_rows(columns, rows)


@app.command()
def start(number: Number, data: Data = None) -> None:
    """Start a rollout; the running manager carries it out."""
    _act("start", number, data)


@app.command()
def pause(number: Number, data: Data = None) -> None:
    """Offer nobody anything more; who is on the way goes on."""
    _act("pause", number, data)


@app.command()
def resume(number: Number, data: Data = None) -> None:
    """Go on."""
    _act("resume", number, data)


@app.command()
def approve(number: Number, data: Data = None) -> None:
    """Approve a rollout that waits for it, or its next stage."""
    _act("approve", number, data)


@app.command()
def abort(number: Number, data: Data = None) -> None:
    """End a rollout; nodes that are updated stay so."""
    _act("abort", number, data)


@app.command()
def rollback(number: Number, data: Data = None) -> None:
    """Take every node back that runs the release: the old one is signed under a new number."""
    _act("rollback", number, data)


@app.command()
def retry(number: Number, data: Data = None) -> None:
    """Try those again that ended badly, and nobody else."""
    _act("retry", number, data)


def _act(what: str, number: int, data: Path | None) -> None:
    from device_manager.fleet import local

    with _open(data) as opened:
        rollout = getattr(opened.rollouts, what)(number, scope=local())
    say(f"rollout {rollout.id} is {rollout.state}")


def _open(data: Path | None) -> Any:
    from device_manager import settings
    from device_manager.rolling_out import open_rollouts

    return open_rollouts(settings.load(data or settings.default_directory()))
