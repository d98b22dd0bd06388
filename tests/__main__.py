"""Set up what the tests need and run all of them: `python3 -m tests [pytest arguments]`.

Needs nothing but Python 3.11 with venv. Makes `.venv`, installs citynode with its test packages there, installs the
system packages (mosquitto, strace, chromium) with apt where it can and they are missing, runs the static checks, then
pytest with a process more than there are cores, because half of a fleet's time is waiting. With arguments only pytest
runs, with those arguments.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
SYSTEM_PACKAGES = {"mosquitto": "mosquitto", "strace": "strace", "chromium": "chromium"}  # program -> Debian package
OLDEST = (3, 11)


def say(text: str) -> None:
    """Print a progress line that stands out between the tools' own output."""
    print(f"== {text}", flush=True)


def run(*command: str | Path, **options: object) -> int:
    """Run a command in the checkout and return its exit code."""
    return subprocess.run([str(part) for part in command], cwd=ROOT, **options).returncode  # type: ignore[call-overload]


def install_python_packages() -> None:
    """Make .venv and install citynode with its test packages, again only when pyproject.toml changed."""
    stamp = VENV / "citynode-installed"
    wanted = (ROOT / "pyproject.toml").read_text("utf-8")
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return
    say("installing citynode and its test packages into .venv")
    venv.create(VENV, with_pip=True, clear=False)
    code = run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", ".[test]")
    if code:
        sys.exit(code)
    install_cddl_judge()
    stamp.write_text(wanted, "utf-8")


def install_cddl_judge() -> None:
    """Make .venv/zcbor: zcbor judges the contract's CDDL and needs an older cbor2 than citynode."""
    judge = VENV / "zcbor"
    venv.create(judge, with_pip=True)
    pip = (judge / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    if code := run(*pip, "zcbor==0.9.1", "cbor2<6"):
        sys.exit(code)


def missing_programs() -> list[str]:
    """Return the system programs that are not on this machine."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    return [program for program in SYSTEM_PACKAGES if not shutil.which(program, path=path)]


def install_system_packages() -> None:
    """Install mosquitto, strace and chromium with apt where that is possible; else say what to install."""
    missing = missing_programs()
    if not missing:
        return
    names = [SYSTEM_PACKAGES[program] for program in missing]
    if shutil.which("apt-get"):
        say(f"installing system packages with apt: {' '.join(names)}")
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        run(*sudo, "apt-get", "update", "-qq", **quiet)
        run(*sudo, "apt-get", "install", "-y", "-qq", *names, **quiet)
    if missing := missing_programs():
        sys.exit(f"expected the programs {', '.join(missing)}, got none: install {' '.join(names)} and run this again")


def static_checks() -> int:
    """Run the linter, the type checkers, the import contracts and the check of generated files; return the failures."""
    tools = VENV / "bin"
    checks = {
        "ruff check": (tools / "ruff", "check", "."),
        "ruff format": (tools / "ruff", "format", "--check", "--quiet", "."),
        "mypy, host": (tools / "mypy",),
        "mypy, firmware against the MicroPython stubs": (PYTHON, "-m", "tests.architecture.firmware_types"),
        "import contracts": (tools / "lint-imports", "--no-cache"),
        "generated files": (PYTHON, "-m", "hardware.generate", "--check"),
    }
    failures = 0
    for title, command in checks.items():
        done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)
        say(f"{title}: {'ok' if done.returncode == 0 else 'FAILED'}")
        if done.returncode:
            print(done.stdout[-6000:] + done.stderr[-3000:], flush=True)
            failures += 1
    return failures


def main(arguments: list[str]) -> int:
    """Set up, check and test; return the exit code."""
    if sys.version_info < OLDEST:
        sys.exit(f"expected Python 3.11 or newer, got {sys.version.split()[0]}: run this with a newer python3")
    install_python_packages()
    install_system_packages()
    failures = 0 if arguments else static_checks()
    processes = str((os.cpu_count() or 1) + 1)
    workers = () if arguments else ("-n", processes, "--dist", "loadfile", "--durations", "10")
    return run(PYTHON, "-m", "pytest", *workers, *arguments) or (1 if failures else 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
