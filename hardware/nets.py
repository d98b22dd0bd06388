"""Which pin is joined to which: a design as nets, for the drawing and for a list that needs no colours.

A net is everything that one conductor joins. Names: the rail's for supplies, GND, and `<bus or sensor> <signal>`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hardware.design import Design, Mounted

GROUND = "GND"


@dataclass(frozen=True, slots=True)
class Pin:
    """One pin of a block: the label printed on the part, and the net that joins it, or empty."""

    label: str
    net: str


@dataclass(frozen=True, slots=True)
class Block:
    """A part with pins in their own order; the board has one block for each header."""

    name: str
    title: str
    notes: tuple[str, ...]
    pins: tuple[Pin, ...]


def headers(design: Design) -> list[Block]:
    """Return the board's headers, busiest first; a supply or ground is joined once, at the first header that has it."""
    nets = _nets_by_gpio(design)
    blocks = [
        Block(name, name, (), tuple(Pin(label, nets.get(label, "")) for label in labels))
        for name, labels in design.board.headers.items()
    ]
    blocks.sort(key=lambda block: sum(bool(pin.net) for pin in block.pins), reverse=True)
    wanted = {pin.net for block in parts(design) for pin in block.pins}
    return [_with_supplies(block, wanted) for block in blocks]


def parts(design: Design) -> list[Block]:
    """Return sensors, then supplies, as blocks."""
    return [_sensor(mounted) for mounted in design.sensors] + _supplies(design)


def connections(design: Design) -> list[tuple[str, list[str]]]:
    """Return (net, places) for every net: "J1-15 GPIO9", "air 4 SCL"."""
    joined: dict[str, list[str]] = {}
    for block in headers(design):
        for number, pin in enumerate(block.pins, 1):
            if pin.net:
                joined.setdefault(pin.net, []).append(f"{block.name}-{number} {pin.label}")
    for block in parts(design):
        for pin in block.pins:
            if pin.net:
                joined.setdefault(pin.net, []).append(f"{block.name} {pin.label}")
    return list(joined.items())


def _nets_by_gpio(design: Design) -> dict[str, str]:
    nets = {f"GPIO{pin}": f"{bus.name} {signal}" for bus in design.buses.values() for signal, pin in bus.pins.items()}
    for mounted in design.sensors:
        nets |= {f"GPIO{pin}": f"{mounted.name} {signal}" for signal, pin in mounted.pins.items()}
    return nets


def _with_supplies(block: Block, wanted: set[str]) -> Block:
    pins = []
    for pin in block.pins:
        net = pin.label if pin.label in wanted else pin.net
        wanted.discard(pin.label)
        pins.append(Pin(pin.label, net))
    return Block(block.name, block.title, block.notes, tuple(pins))


def _sensor(mounted: Mounted) -> Block:
    words = {"supply": mounted.rail, "ground": GROUND, "open": ""}
    owner = mounted.bus.name if mounted.bus else mounted.name
    pins = (Pin(label, words.get(word, f"{owner} {word}")) for label, word in mounted.sensor.pins.items())
    address = () if mounted.address is None else (f"I2C address {mounted.address:#04x}",)
    return Block(mounted.name, mounted.sensor.part, (f"sensor {mounted.name}", *address), tuple(pins))


def _supplies(design: Design) -> list[Block]:
    blocks = []
    for rail in design.rails.values():
        if rail.part:
            fed = (Pin("IN +", rail.fed_by),) if rail.fed_by else ()
            pins = (*fed, Pin(f"OUT + {rail.volts:g} V", rail.name), Pin("GND", GROUND))
            blocks.append(Block(f"supply {rail.name}", rail.part, (f"supply {rail.name}",), pins))
    return blocks
