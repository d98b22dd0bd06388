"""A node design: a board, sensors, and the pins and supplies between them. Whether it works is `hardware.check`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hardware.board import Board, Rail, parse_rail
from hardware.fields import Reader, parse
from hardware.sensor import BUS_SIGNALS, Sensor


@dataclass(frozen=True, slots=True)
class Bus:
    """A bus in use: `controller` numbers the board's hardware, `pins` are GPIO by signal, `hz` is the clock or baud."""

    name: str
    kind: str
    controller: int
    hz: int | None
    pins: dict[str, int]


@dataclass(frozen=True, slots=True)
class Mounted:
    """A sensor at its place. One of kind gpio has no bus, its signals are `pins`; for others `pins` is empty.

    `options` are for its driver, beside bus and pins: see firmware/README.md.
    """

    name: str
    sensor: Sensor
    bus: Bus | None
    address: int | None
    rail: str
    pins: dict[str, int]
    options: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """Something else to buy."""

    count: int
    part: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Design:
    """A node to build; `rails` are the board's and the design's own."""

    name: str
    title: str
    source: str
    board: Board
    rails: dict[str, Rail]
    buses: dict[str, Bus]
    sensors: tuple[Mounted, ...]
    parts: tuple[Part, ...]


def parse_design(name: str, text: str, boards: Mapping[str, Board], sensors: Mapping[str, Sensor]) -> Design:
    """Parse the TOML text of design `name`; CatalogError names an entry that is unknown or missing."""
    root = parse(f"designs/{name}.toml", text)
    board = boards[_known(root, "board", root.text("board"), boards)]
    rails = _rails(root, board)
    buses = {bus.name: bus for bus in map(_bus, root.tables("buses"))}
    design = Design(
        name=name,
        title=root.text("title"),
        source=root.text("source"),
        board=board,
        rails=rails,
        buses=buses,
        sensors=tuple(_mounted(row, sensors, buses, rails) for row in root.tables("sensors")),
        parts=tuple(_part(row) for row in root.tables("parts")),
    )
    root.done()
    _check_names(root, design)
    return design


def _rails(root: Reader, board: Board) -> dict[str, Rail]:
    rails = {rail.name: rail for rail in board.rails}
    own = [parse_rail(row) for row in root.tables("rails")]
    for rail in own:
        if rails.setdefault(rail.name, rail) is not rail:
            raise root.error("rails", f"names other than {', '.join(rails)}", rail.name)
    for rail in rails.values():
        chain = [rail.name]
        while feeding := rails[chain[-1]].fed_by:
            if feeding in chain:
                raise root.error(f"[[rails]] {rail.name} fed_by", "a rail that it does not feed itself", feeding)
            chain.append(_known(root, f"[[rails]] {chain[-1]} fed_by", feeding, rails))
    return rails


def _bus(row: Reader) -> Bus:
    kind = row.choice("kind", ("i2c", "uart", "i2s"))
    hz = {"i2c": "hz", "uart": "baud"}.get(kind)
    pins = row.table("pins")
    bus = Bus(
        row.text("name"),
        kind,
        row.whole("controller"),
        row.whole(hz, 1) if hz else None,
        {signal: pins.whole(signal) for signal in BUS_SIGNALS[kind]},
    )
    pins.done()
    row.done()
    return bus


def _mounted(
    row: Reader, sensors: Mapping[str, Sensor], buses: Mapping[str, Bus], rails: Mapping[str, Rail]
) -> Mounted:
    sensor = sensors[_known(row, "sensor", row.text("sensor"), sensors)]
    wired = sensor.kind != "gpio"
    bus = buses[_known(row, "bus", row.text("bus"), buses)] if wired else None
    pins = None if wired else row.table("pins")
    options = row.maybe_table("options")
    mounted = Mounted(
        row.text("name"),
        sensor,
        bus,
        _address(row, sensor),
        _known(row, "rail", row.text("rail"), rails),
        {signal: pins.whole(signal) for signal in sensor.signals} if pins else {},
        options.options() if options else {},
    )
    if pins:
        pins.done()
    row.done()
    return mounted


def _address(row: Reader, sensor: Sensor) -> int | None:
    if sensor.kind != "i2c":
        return None
    chosen = row.maybe_whole("address")
    if chosen is None:
        return sensor.addresses[0]
    if chosen not in sensor.addresses:
        allowed = ", ".join(f"{address:#04x}" for address in sensor.addresses)
        raise row.error("address", f"an address that {sensor.name} can have ({allowed})", chosen)
    return chosen


def _part(row: Reader) -> Part:
    part = Part(row.whole("count", 1), row.text("part"), row.text("purpose"))
    row.done()
    return part


def _known(reader: Reader, key: str, name: str, known: Mapping[str, object]) -> str:
    if name not in known:
        raise reader.error(key, f"one of {', '.join(known) or 'none'}", name)
    return name


def _check_names(root: Reader, design: Design) -> None:
    names = [mounted.name for mounted in design.sensors]
    if not names:
        raise root.error("sensors", "at least one sensor", "nothing")
    for name in names:
        if names.count(name) > 1:
            raise root.error("sensors", "different names", name)
