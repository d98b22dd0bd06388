"""What has to be done to a board: pure, from what was found and what was ordered. A dry run prints it."""

from dataclasses import dataclass

from hardware.design import Design
from provisioning.errors import BenchError
from provisioning.flash import Found
from provisioning.images import Image
from provisioning.progress import STEPS


@dataclass(frozen=True)
class Step:
    """One step of STEPS; `text` for people."""

    name: str
    text: str
    done: bool


def check(found: Found, design: Design) -> None:
    """Raise BenchError unless the board on the bench is the one that the design names."""
    board = design.board
    if found.chip != board.chip:
        todo = f"take a {board.title}, or another --design"
        raise BenchError(expected=f"{board.chip} for design {design.name}", got=found.chip, todo=todo)
    if found.flash_bytes < board.flash_bytes:
        got = f"{found.flash_bytes >> 20} MB"
        todo = f"take a {board.title}; this one is another variant"
        raise BenchError(expected=f"{board.flash_bytes >> 20} MB of flash", got=got, todo=todo)


def plan(found: Found, design: Design, site: str, image: Image, days: float, done: frozenset[str]) -> list[Step]:
    """Return all steps in order; `done` names those that an earlier run has finished."""
    check(found, design)
    stand_in = ", a stand-in for virtual boards" if image.stand_in else ""
    table = f"partition table of {design.board.name} (outbox for {days:.0f} days)"
    texts = {
        "enrol": f"register board {found.mac} at {site} as pending",
        "flash": f"erase; {table}, MicroPython {image.version}{stand_in}; verify",
        "install": f"app, compiled for the {found.chip}",
        "identity": "key, certificate and trust anchors",
        "configure": f"node.json: {', '.join(mounted.name for mounted in design.sensors)}, Wi-Fi, brokers",
        "self_test": "every sensor, values against limits",
        "start": "reset",
        "contact": "wait for the first record in the store",
        "accept": "accept the node",
        "label": "label as PNG, SVG and PDF",
    }
    return [Step(name, texts[name], name in done) for name in STEPS]
