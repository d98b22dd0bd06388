"""Child processes that do not outlive us: started so that they die with the manager, stopped politely, then firmly.

On Linux the kernel ends a child when the manager dies, even by SIGKILL (PR_SET_PDEATHSIG). Two traps decide the shape:
the signal comes when the *thread* that started the child ends, so one thread that lives as long as the process starts
all of them; and the kernel forgets the setting when the child changes its user, so a short launcher changes the user
first and asks for the signal afterwards. Elsewhere (macOS) only orderly ends are covered; a broker left behind by a
killed manager is found by its pid file at the next start.
"""

import atexit
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO

_LAUNCHER = """\
import os, sys
parent, user, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
libc = None
if sys.platform == "linux":
    import ctypes
    libc = ctypes.CDLL(None)
if user:
    import pwd
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
if libc:
    libc.prctl(1, 15)
    if os.getppid() != parent:
        sys.exit(0)
try:
    os.execv(command[0], command)
except OSError as error:
    sys.exit(f"{command[0]}: {error.strerror}")
"""
_LOG_LIMIT_BYTES = 10_000_000
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="processes")
_running: set[subprocess.Popen[bytes]] = set()


def spawn(
    command: list[str], directory: Path, log: Path, user: str = "", environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `command` (an absolute program path first) in `directory` as `user`, its output appended to `log`.

    The child gets its own process group, so that Ctrl-C in a terminal reaches the manager alone, which then ends it.
    `environment` replaces the inherited one. Raises OSError when the process cannot be started.
    """
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), user, *command]
    with log.open("ab") as output:
        process = _starter.submit(_popen, launcher, directory, output, environment).result()
    _running.add(process)
    return process


def stop(process: subprocess.Popen[bytes], grace_s: float = 5.0) -> None:
    """End a process: SIGTERM, after `grace_s` SIGKILL, and wait until it is gone. Safe to call twice."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _running.discard(process)


def stop_all(processes: list[subprocess.Popen[bytes]], grace_s: float = 5.0) -> None:
    """End several processes at once: all get SIGTERM before the first is waited for."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        stop(process, grace_s)


def last_lines(log: Path, count: int = 1) -> str:
    """Return the last non-empty lines of a log, joined by " / ", or "nothing in its log"."""
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        lines = []
    return " / ".join([line for line in lines if line.strip()][-count:]) or "nothing in its log"


def stop_stale(pid_file: Path, marker: str, grace_s: float = 5.0) -> int | None:
    """End the process of a pid file left behind, if its command line still holds `marker`; return its pid if it did.

    The marker keeps a recycled pid, now somebody else's process, from being ended.
    """
    try:
        pid = int(pid_file.read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return None
    found = marker in _command_line(pid)
    if found:
        _signal(pid, signal.SIGTERM)
        deadline_s = time.monotonic() + grace_s
        while marker in _command_line(pid) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        if marker in _command_line(pid):
            _signal(pid, signal.SIGKILL)
    pid_file.unlink(missing_ok=True)
    return pid if found else None


def hang_up(pid_file: Path, marker: str) -> bool:
    """Send SIGHUP to the process of a pid file whose command line holds `marker`; False when there is none."""
    try:
        pid = int(pid_file.read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return False
    found = marker in _command_line(pid)
    if found:
        _signal(pid, signal.SIGHUP)
    return found


def _popen(
    command: list[str], directory: Path, output: IO[bytes], environment: dict[str, str] | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        process_group=0,
    )


def _command_line(pid: int) -> str:
    """Return the command line of a process, "" when there is none."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            return ""
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return listed.stdout


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it ended by itself meanwhile, which is what we wanted
        os.kill(pid, number)


@atexit.register
def _stop_rest() -> None:
    """End what an unclean way out left running."""
    stop_all([process for process in _running if process.poll() is None], grace_s=2.0)
