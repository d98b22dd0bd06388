"""Updates of a real fleet: build releases from changed sources, offer them, wait for what nodes say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from device_manager import updates
from device_manager.adapters.firmware_build import firmware_root
from device_manager.fleet import local, open_fleet
from device_manager.overview import shadow_of
from device_manager.releases.offering import NodeOffer
from device_manager.releases.service import Wanted
from device_manager.releases.shelf import Release
from device_manager.shadow import Shadow
from tests.fleet.fleet import Fleet, change_json

TRIAL_S = 60  # a good release is confirmed as soon as a frame is in; only a loaded machine comes near
BOARDS = ["esp32-s3-devkitc-1", "esp32-devkitc", "esp32-c6-devkitc-1"]


def sources(folder: Path, changes: dict[str, Callable[[str], str]]) -> Path:
    """Copy the firmware's sources to `folder` and change files (path below `firmware` -> what becomes of the text)."""
    shutil.copytree(firmware_root() / "firmware", folder / "firmware", ignore=shutil.ignore_patterns("__pycache__"))
    for path, change in changes.items():
        file = folder / "firmware" / path
        before = file.read_text("utf-8")
        file.write_text(change(before), "utf-8")
        assert file.read_text("utf-8") != before, path
    return folder


def version(text: str) -> Callable[[str], str]:
    """A bump of the version, for `sources`."""
    return lambda source: source.replace('VERSION = "0.1.0"', f'VERSION = "{text}"')


def build(fleet: Fleet, root: Path, **more: object) -> Release:
    """Build a release for virtual nodes."""
    wanted = Wanted(root, {updates.VIRTUAL: BOARDS}, **more)  # type: ignore[arg-type]
    return updates.open_releases(fleet.settings).build(wanted, scope=local())


def offer(fleet: Fleet, number: int, attempt: int = 0) -> None:
    """Offer a release to every node."""
    offers = updates.open_offers(fleet.settings)
    for node in fleet.nodes:
        offers.offer(NodeOffer(node.name, number, attempt))


def shadows(fleet: Fleet) -> dict[str, Shadow]:
    """What the manager knows of every node."""
    with open_fleet(fleet.settings) as opened:
        return {view.name: shadow_of(view) for view in opened.registry.nodes()}


def make_quick(fleet: Fleet, trial_s: int = TRIAL_S) -> None:
    """Give every node a short trial, before it starts."""
    for node in fleet.nodes:
        change_json(node.directory / "node.json", trial_s=trial_s)
