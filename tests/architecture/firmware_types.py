"""Type-check the firmware against the MicroPython stubs: `python -m tests.architecture.firmware_types`.

The stubs (micropython-esp32-stubs) replace Python's own standard library, so that a module, function or argument that
MicroPython does not have is an error here and not on a lamp post. mypy refuses site-packages as a search path, so the
stubs are copied to a temporary directory first.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mypy

ROOT = Path(__file__).parent.parent.parent
CONFIG = """[mypy]
custom_typeshed_dir = {stubs}
mypy_path = {stubs}:{root}
explicit_package_bases = True
no_site_packages = True
platform = linux
cache_dir = {root}/.mypy_cache/firmware
exclude = ^firmware/virtual/
strict_bytes = False
[mypy-{modules}]
ignore_errors = True
"""


def copy_stubs(target: Path) -> None:
    """Copy the installed MicroPython stubs, modules and standard library, to `target`."""
    source = Path(mypy.__file__).parent.parent  # the stubs are installed beside mypy
    for stub in source.glob("*.pyi"):
        shutil.copy(stub, target)
    for folder in ("_mpy_shed", "stdlib", "stubs"):
        if (source / folder).is_dir():
            shutil.copytree(source / folder, target / folder)
    mypy_own = source / "mypy" / "typeshed" / "stubs" / "mypy-extensions"
    if not (target / "stubs" / "mypy-extensions").exists():
        shutil.copytree(mypy_own, target / "stubs" / "mypy-extensions")


def main() -> int:
    """Run mypy over firmware/ with the stubs; return its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        stubs = Path(folder)
        copy_stubs(stubs)
        config = stubs / "mypy.ini"
        modules = ",".join(["_mpy_shed.*", *(stub.stem for stub in stubs.glob("*.pyi"))])  # their faults are not ours
        config.write_text(CONFIG.format(stubs=stubs, root=ROOT, modules=modules), "utf-8")
        return subprocess.run(
            [sys.executable, "-m", "mypy", "--config-file", str(config), "firmware"], cwd=ROOT
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
