"""The lock of a data directory: one manager, or one command that needs that none runs."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from device_manager.errors import SetupError


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock of the data directory; SetupError when another manager holds it."""
    with path.open("a+", encoding="ascii") as file:
        _take_lock(file, path)
        try:
            yield
        finally:
            file.truncate(0)


def _take_lock(file: IO[str], path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        got = f"process {file.read().strip() or 'unknown'} runs one"
        raise SetupError(
            expected=f"no other manager on {path.parent}", got=got, todo="use that one, or end it first"
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
