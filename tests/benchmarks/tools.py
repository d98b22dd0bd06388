"""What several benchmarks share: running a script on real MicroPython."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.conftest import find_micropython, micropython_path

HERE = Path(__file__).parent


def on_micropython(
    script: str, *arguments: str, heap: str = "8m", timeout_s: float = 600, root: Path | None = None
) -> str:
    """Run a script of this folder on MicroPython and return what it printed; `root`: a firmware before our own."""
    command = [find_micropython(), "-X", f"heapsize={heap}", str(HERE / script), *arguments]
    environment = {**os.environ, "MICROPYPATH": micropython_path([root] if root else ())}
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout
