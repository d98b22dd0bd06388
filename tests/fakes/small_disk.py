"""A disk of a few megabytes that is really full or really read-only: a tmpfs in a mount namespace of its own.

with small_disk(folder, 4 << 20) as disk:
    subprocess.Popen(disk.command(["citynode", ...]))     # sees `folder` on that disk; nobody else does
    disk.fill(); disk.free(); disk.remount("ro")

Needs no root: where user namespaces are allowed, this user becomes one inside (`unshare -rm`). It ends with its holder,
and the holder with us.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_BALLAST = "ballast"


class SmallDisk:
    """See above; `run` is a line of shell inside the namespace."""

    def __init__(self, folder: Path, options: str) -> None:
        self.folder = folder
        self._user = [] if os.geteuid() == 0 else ["--map-root-user"]
        self._holder = subprocess.Popen(
            ["unshare", "--mount", *self._user, "sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.problem = self.run(f"mount -t tmpfs -o {options} citynode {folder}")

    def run(self, line: str) -> str:
        """Run a line; return "", or what went wrong."""
        assert self._holder.stdin and self._holder.stdout
        try:
            self._holder.stdin.write(f'said=$({line} 2>&1) && echo || echo "failed: $said" | head -1\n')
            self._holder.stdin.flush()
        except BrokenPipeError:
            return self._holder.stdout.read().strip() or "unshare is not allowed"
        return self._holder.stdout.readline().strip()

    def command(self, command: Sequence[str], user: Sequence[int] = ()) -> list[str]:
        """Return a command that runs on this disk, as the (user, group) of `user` where it is given."""
        inside = ["nsenter", "--target", str(self._holder.pid), "--mount"]
        inside += ["--user", "--preserve-credentials"] if self._user else []
        inside += [f"--setuid={user[0]}", f"--setgid={user[1]}"] if user else []
        return [*inside, "--wd=/", "--", *command]

    def fill(self, leave_bytes: int) -> None:
        """Leave so much room and no more."""
        found = os.statvfs(f"/proc/{self._holder.pid}/root{self.folder}")
        size = max(0, found.f_bavail * found.f_frsize - leave_bytes)
        self._must(f"head -c {size} /dev/zero > {self.folder}/{_BALLAST}")

    def free(self) -> None:
        """Give back what `fill` took."""
        self._must(f"rm {self.folder}/{_BALLAST}")

    def remount(self, how: str) -> None:
        """Make it "ro" or "rw"; nobody may have a file open for writing there."""
        self._must(f"mount -o remount,{how} {self.folder}")

    def close(self) -> None:
        """End it; what is on it is gone."""
        self._holder.communicate()

    def _must(self, line: str) -> None:
        problem = self.run(line)
        assert not problem, problem


@contextmanager
def small_disk(folder: Path, size_bytes: int, instead: str, user: Sequence[int] = ()) -> Iterator[SmallDisk]:
    """Give a disk mounted at `folder`; where no mount is allowed the test is skipped, and `instead` says what stands
    for it there."""
    folder.mkdir(exist_ok=True)
    owner = f",uid={user[0]},gid={user[1]}" if user else ""
    disk = SmallDisk(folder, f"size={size_bytes},mode=0700{owner}")
    try:
        if disk.problem:
            pytest.skip(f"expected to mount a tmpfs in a namespace, got {disk.problem}; {instead}")
        yield disk
    finally:
        disk.close()
