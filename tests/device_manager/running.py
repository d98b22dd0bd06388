"""Helpers to watch processes."""

from pathlib import Path


def exists(pid: int) -> bool:
    """True while a process runs; one that ended and was not collected by its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
