"""Cut the power at every flash operation of a complete update, there and back; and kill virtual nodes in updates.

First on a model of NOR flash with LittleFS: each operation not done, torn in two ways, done; every start afterwards
must run an intact slot, and the node must end on the new release, or on the old one when its trial ends badly; once
more with a MicroPython image in the release, on a model of the OTA partitions and of the bootloader. Then SIGKILL at
random moments of updates of real virtual nodes under a real manager: 1,000 updates, 50 in the short form; every node
ends on the old or the new release, running and reporting.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from device_manager.releases import bundles
from tests.benchmarks.row import Row, at_most
from tests.benchmarks.tools import HERE
from tests.conftest import find_micropython, micropython_path
from tests.fakes.small_release import SmallRelease
from tests.fleet.killing import kill_in_updates

UPDATES, SHORT_UPDATES = 1000, 50
IMAGE = bytes([0xE9]) + bytes(range(251)) * 44
NODES = 25


def run(short: bool) -> list[Row]:
    """Return the cuts with their outcomes, and what became of the nodes that were killed."""
    every = 8 if short else 1
    cuts = {**cut_update(every), **{f"with an image, {end}": found for end, found in cut_image(every).items()}}
    rows = [_cuts(direction, found, every) for direction, found in cuts.items()]
    with tempfile.TemporaryDirectory() as folder:
        killed = kill_in_updates(Path(folder), NODES, (SHORT_UPDATES if short else UPDATES) // NODES)
    beside = f"{killed.kills} kills; {killed.new} updates ended on the new release, {killed.old} on the old"
    form = f"{killed.updates} updates"
    return [
        *rows,
        at_most(
            "power_cut_update, nodes that do not run and report afterwards", killed.silent, "nodes", 0, beside, form
        ),
    ]


def cut_update(every: int) -> dict[str, dict[str, int]]:
    """Cut at every `every`th operation; return counts by what becomes of the update."""
    with tempfile.TemporaryDirectory() as name:
        small = _release(Path(name))
        (small.folder / "back").write_bytes(bundles.make(small.old, small.new))
        return _cut("cut_update.py", small.folder, every)


def cut_image(every: int) -> dict[str, dict[str, int]]:
    """The same for an update that brings a MicroPython image, too: partitions and bootloader are models."""
    with tempfile.TemporaryDirectory() as name:
        small = _release(Path(name))
        root = small.root(image=[sha256(IMAGE).digest(), len(IMAGE)])
        for file, content in (("root", root), ("offer", small.offer(root)), ("image", IMAGE)):
            (small.folder / file).write_bytes(content)
        return _cut("cut_image.py", small.folder, every)


def _release(folder: Path) -> SmallRelease:
    small = SmallRelease(folder)
    small.write()
    paths = [str(path.relative_to(folder)) for path in sorted((folder / "a").rglob("*")) if path.is_file()]
    (folder / "files.json").write_text(json.dumps(paths))
    return small


def _cut(script: str, folder: Path, every: int) -> dict[str, dict[str, int]]:
    done = subprocess.run(
        [find_micropython(), "-X", "heapsize=64m", str(HERE / "on_micropython" / script), str(every)],
        cwd=folder, env={"MICROPYPATH": micropython_path()}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    found: dict[str, dict[str, int]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _cuts(direction: str, found: dict[str, int], every: int) -> Row:
    beside = (
        f"{found['cuts']} cuts at {found['operations']} operations; first start on the old release {found['old']}, "
        f"on the new {found['new']}"
    )
    form = "every operation" if every == 1 else f"every {every}th operation"
    return at_most(f"power_cut_update, {direction}, lost", found["lost"], "nodes", 0, beside, form)
