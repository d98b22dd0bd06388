"""The outbox: what it keeps, what it forgets, and power cuts at every flash operation. Cases run on MicroPython."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Run

ON_NODE = Path(__file__).parent / "on_node"
SCRIPT = ON_NODE / "outbox_cases.py"


def cases(script: Path) -> list[str]:
    """Return the names of the cases in a script, in its order."""
    lines = script.read_text("utf-8").splitlines()
    return [line.split("(")[0].removeprefix("def case_") for line in lines if line.startswith("def case_")]


@pytest.mark.parametrize("case", cases(SCRIPT))
def test_outbox(case: str, micropython: Run) -> None:
    """One case of outbox_cases.py on real MicroPython."""
    done = micropython(SCRIPT, case, timeout_s=120, path=[ON_NODE])
    assert done.returncode == 0, done.stdout + done.stderr
