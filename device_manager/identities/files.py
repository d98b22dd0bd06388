"""Private files: written so that nobody else can read them, not even for the moment before a chmod."""

import os
from pathlib import Path


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` with `data`, mode 0600 from the first byte, synced to disk before the name changes."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)  # O_EXCL below must meet no leftover, which could have another mode
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def make_private_directory(path: Path) -> None:
    """Make `path` (and its parents), mode 0700."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
