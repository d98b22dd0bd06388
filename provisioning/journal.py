"""What was done to a board, one line a step, synced before the next step begins: `provisioning/<mac>.jsonl`.

    {"time": 1790000000, "step": "flash", "state": "done", "facts": {"image": "..."}}

States: begun, done, failed, and undone for what a newly written flash took away. It holds no secret.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from provisioning.errors import BenchError


class Journal:
    """The record of one board."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: dict[str, dict[str, Any]] = {}
        for row in self._rows():
            if row["state"] == "done":
                self._done[row["step"]] = row["facts"]
            elif row["state"] == "undone":
                self._done.pop(row["step"], None)

    @classmethod
    def open(cls, directory: Path, mac: str, order: dict[str, str], *, fresh: bool = False) -> "Journal":
        """Return the record of board `mac` for an order (site, design); BenchError when it was begun for another."""
        folder = directory / "provisioning"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{mac.replace(':', '')}.jsonl"
        if fresh and path.exists():
            path.replace(path.with_suffix(f".{time.time_ns()}.old"))
        journal = cls(path)
        before = journal.facts("order")
        if before is not None and before != order:
            got = f"one begun for site {before['site']}, design {before['design']}"
            todo = "name those again, or start anew with --fresh"
            raise BenchError(expected=f"board {mac} as ordered before", got=got, todo=todo)
        if before is None:
            journal.done("order", **order)
        return journal

    @classmethod
    def peek(cls, directory: Path, mac: str) -> "Journal":
        """Return the record of board `mac` to read only; empty when there is none."""
        return cls(directory / "provisioning" / f"{mac.replace(':', '')}.jsonl")

    def steps(self) -> frozenset[str]:
        """Return the steps that are done."""
        return frozenset(self._done)

    def facts(self, step: str) -> dict[str, Any] | None:
        """Return what was recorded when `step` was done, None when it was not."""
        return self._done.get(step)

    def begun(self, step: str) -> None:
        self._write(step, "begun", {})

    def done(self, step: str, **facts: Any) -> None:
        """Record that `step` is done, with what the next run must know."""
        self._write(step, "done", facts)
        self._done[step] = facts

    def failed(self, step: str, reason: str) -> None:
        self._write(step, "failed", {"reason": reason})

    def forget(self, *steps: str) -> None:
        """What was done there is no longer true."""
        for step in steps:
            if self._done.pop(step, None) is not None:
                self._write(step, "undone", {})

    def _rows(self) -> list[dict[str, Any]]:
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        rows = []
        for line in lines:
            try:
                rows.append(json.loads(line))
            except ValueError:  # the last line of a run that was cut off while writing: that step was not done
                continue
        return rows

    def _torn(self) -> bool:
        return self._path.read_bytes()[-1:] not in (b"", b"\n")

    def _write(self, step: str, state: str, facts: dict[str, Any]) -> None:
        line = json.dumps({"time": int(time.time()), "step": step, "state": state, "facts": facts})
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            # A run that was cut off while writing has left half a line: this one must not become part of it.
            file.write(("\n" if self._torn() else "") + line + "\n")
            file.flush()
            os.fsync(file.fileno())
