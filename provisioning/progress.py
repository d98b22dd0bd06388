"""How far boards are: the journals of a data directory, read by whoever wants to look while the runner writes."""

import json
from pathlib import Path
from typing import Any, NamedTuple

STEPS = ("enrol", "flash", "install", "identity", "configure", "self_test", "start", "contact", "accept", "label")


class Board(NamedTuple):
    """A board: `done` are its steps of STEPS, `failed` the one that failed last and was not done since, with `reason`.

    `node` is None before it has an identity, `at_s` the Unix time of the last line.
    """

    mac: str
    node: str | None
    site: str | None
    design: str | None
    done: frozenset[str]
    failed: str | None
    reason: str
    at_s: int


def boards(directory: Path) -> list[Board]:
    """Return all boards of a data directory, the one that moved last first."""
    found = [_board(path) for path in (directory / "provisioning").glob("*.jsonl")]
    return sorted((board for board in found if board), key=lambda board: board.at_s, reverse=True)


def _board(path: Path) -> Board | None:
    rows = list(_rows(path))
    if not rows:
        return None
    done: dict[str, dict[str, Any]] = {}
    failed, reason = None, ""
    for row in rows:
        step, state = row["step"], row["state"]
        if state == "done":
            done[step] = row["facts"]
        if state in ("undone", "begun"):
            done.pop(step, None)
        if state == "failed":
            failed, reason = step, str(row["facts"].get("reason", ""))
        elif step == failed:
            failed, reason = None, ""
    order, enrolled = done.get("order", {}), done.get("enrol", {})
    mac = ":".join(path.stem[i : i + 2] for i in range(0, len(path.stem), 2))
    steps = frozenset(done) & frozenset(STEPS)
    node, site, design = enrolled.get("node"), order.get("site"), order.get("design")
    return Board(mac, node, site, design, steps, failed, reason, rows[-1]["time"])


def _rows(path: Path) -> list[dict[str, Any]]:
    """Return the lines that are whole: the last one may be half written."""
    rows = []
    for line in path.read_text("utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows
