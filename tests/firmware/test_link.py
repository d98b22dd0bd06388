"""The link's pure parts (packets, receiver, delivery, session): the same cases on MicroPython and on CPython."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, Run
from tests.firmware import session_diagram
from tests.firmware.test_outbox import ON_NODE, cases

SCRIPT = ON_NODE / "link_cases.py"


def test_diagram_of_the_session_is_the_tables() -> None:
    readme = session_diagram.README.read_text("utf-8")
    assert session_diagram.updated(readme) == readme, "run python -m tests.firmware.session_diagram"


@pytest.mark.parametrize("case", cases(SCRIPT))
def test_link_on_micropython(case: str, micropython: Run) -> None:
    """One case of link_cases.py on real MicroPython."""
    done = micropython(SCRIPT, case, path=[ON_NODE])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", cases(SCRIPT))
def test_link_on_cpython(case: str) -> None:
    """The same case on this Python."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), case], capture_output=True, text=True, timeout=180,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ON_NODE}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
