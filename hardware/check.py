"""Say what is wrong with a node design before anybody solders: `check(design)` returns problems, none when it is fit.

Each rule is a function from a design to problems; RULES names them all. A problem says where, what was expected, what
the design says, and what to do.

    >>> from hardware.catalog import designs
    >>> check(designs()["plaza"])
    []
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hardware.design import Bus, Design, Mounted
from hardware.flash_budget import DAYS_NEEDED, budget
from hardware.power import rail_most_ma
from hardware.sensor import BUS_SIGNALS


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not fit: `where` in the design, what was expected, what it is, and what to do."""

    where: str
    expected: str
    got: str
    todo: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, got {self.got}; {self.todo}"


@dataclass(frozen=True, slots=True)
class Use:
    """One pin in use: who, for which signal, and the direction it needs."""

    where: str
    signal: str
    pin: int
    direction: str


def check(design: Design) -> list[Problem]:
    """Return all problems of a design, in the order of RULES."""
    return [problem for rule in RULES for problem in rule(design)]


def uses(design: Design) -> list[Use]:
    """Return every pin in use, buses first."""
    found = [
        Use(bus.name, signal, pin, BUS_SIGNALS[bus.kind][signal])
        for bus in design.buses.values()
        for signal, pin in bus.pins.items()
    ]
    for mounted in design.sensors:
        found += [Use(mounted.name, name, pin, mounted.sensor.signals[name]) for name, pin in mounted.pins.items()]
    return found


def _board_is_for_it(design: Design) -> Iterator[Problem]:
    board = design.board
    if board.only_designs and design.name not in board.only_designs:
        allowed = " or ".join(board.only_designs)
        yield Problem(
            design.name,
            f"the design {allowed} on {board.name}",
            design.name,
            f"take another board: {board.only_because}",
        )


def _pins_exist_and_are_free(design: Design) -> Iterator[Problem]:
    taken: dict[int, Use] = {}
    for use in uses(design):
        where = f"{use.where} {use.signal}"
        if use.pin in taken:
            other = taken[use.pin]
            yield Problem(where, "a pin of its own", f"GPIO{use.pin}, {other.where} {other.signal} too", _free(design))
            continue
        taken[use.pin] = use
        yield from _pin_is_fit(design, use, where)


def _pin_is_fit(design: Design, use: Use, where: str) -> Iterator[Problem]:
    board, got = design.board, f"GPIO{use.pin}"
    for reason, pins in board.forbidden.items():
        if use.pin in pins:
            yield Problem(where, "a pin that the board leaves free", f"{got}, which is {reason}", _free(design))
            return
    if use.pin in board.strapping:
        yield Problem(where, "a pin that does not decide how the chip boots", f"{got}, strapping", _free(design))
    elif use.pin not in board.pins:
        yield Problem(where, f"a pin on a header of {board.name}", got, _free(design))
    elif use.pin in board.input_only and use.direction != "in":
        needs = "a pull-up inside the chip" if use.direction == "in_pull_up" else "a pin that can be an output"
        yield Problem(where, needs, f"{got}, input only", _free(design))


def _controllers_exist_and_are_free(design: Design) -> Iterator[Problem]:
    taken: dict[tuple[str, int], Bus] = {}
    for bus in design.buses.values():
        count = design.board.controllers[bus.kind]
        key = (bus.kind, bus.controller)
        if bus.controller >= count:
            last = f"{bus.kind} controller 0 to {count - 1}"
            yield Problem(bus.name, last, str(bus.controller), f"{design.board.name} has {count}")
        elif bus.kind == "uart" and bus.controller == design.board.controllers["console_uart"]:
            got = f"uart{bus.controller}"
            yield Problem(bus.name, "a UART that is not the console", got, "take another controller")
        elif key in taken:
            got = f"{bus.kind}{bus.controller}, {taken[key].name} too"
            yield Problem(bus.name, "a controller of its own", got, "take another controller, or share the bus")
        taken.setdefault(key, bus)


def _counters_are_enough(design: Design) -> Iterator[Problem]:
    needed = sum(len(mounted.pins) for mounted in design.sensors)
    count = design.board.controllers["counter"]
    if needed > count:
        expected = f"at most {count} counted pins on {design.board.name}"
        yield Problem(design.name, expected, str(needed), "count fewer pins")


def _sensors_hang_on_their_kind_of_bus(design: Design) -> Iterator[Problem]:
    for mounted in design.sensors:
        if mounted.bus and mounted.bus.kind != mounted.sensor.kind:
            got, todo = f"{mounted.bus.name} of kind {mounted.bus.kind}", f"give {mounted.sensor.name} such a bus"
            yield Problem(mounted.name, f"a bus of kind {mounted.sensor.kind}", got, todo)


def _serial_lines_have_one_user(design: Design) -> Iterator[Problem]:
    for bus, hanging in _by_bus(design):
        if bus.kind != "i2c" and len(hanging) > 1:
            names = ", ".join(mounted.name for mounted in hanging)
            todo = f"give each its own {bus.kind}"
            yield Problem(bus.name, f"one sensor on a bus of kind {bus.kind}", names, todo)


def _addresses_differ(design: Design) -> Iterator[Problem]:
    for bus, hanging in _by_bus(design):
        first: dict[int, Mounted] = {}
        for mounted in hanging:
            if mounted.address is None:
                continue
            other = first.setdefault(mounted.address, mounted)
            if other is not mounted:
                names = " and ".join(f"{one.name} ({one.sensor.name})" for one in (other, mounted))
                got = f"{mounted.address:#04x} for {names}"
                todo = "put one of them on another I2C controller or choose another address"
                yield Problem(bus.name, "different I2C addresses on one bus", got, todo)


def _clocks_fit(design: Design) -> Iterator[Problem]:
    for bus, hanging in _by_bus(design):
        for mounted in hanging:
            limit, baud = mounted.sensor.max_hz, mounted.sensor.baud
            if bus.hz and limit and bus.hz > limit:
                got, todo = f"{bus.hz} Hz on {bus.name}", f"set hz of {bus.name} to {limit} or less"
                yield Problem(mounted.name, f"at most {limit} Hz for {mounted.sensor.name}", got, todo)
            if bus.hz and baud and bus.hz != baud:
                got, todo = f"{bus.hz} baud on {bus.name}", f"set baud of {bus.name} to {baud}"
                yield Problem(mounted.name, f"{baud} baud for {mounted.sensor.name}", got, todo)


def _voltages_fit(design: Design) -> Iterator[Problem]:
    for mounted in design.sensors:
        supply, rail = mounted.sensor.supply, design.rails[mounted.rail]
        if supply and not supply.volts[0] <= rail.volts <= supply.volts[1]:
            expected = f"{supply.volts[0]:g} to {supply.volts[1]:g} V for {mounted.sensor.name}"
            got = f"{rail.name} with {rail.volts:g} V"
            yield Problem(mounted.name, expected, got, "hang it on another rail")


def _rails_are_strong_enough(design: Design) -> Iterator[Problem]:
    for rail in design.rails.values():
        most_ma = rail_most_ma(design, rail.name)
        if most_ma > rail.budget_ma:
            got = f"{most_ma:g} mA when all peaks meet"
            todo = "move a sensor to another rail or take a stronger supply"
            yield Problem(f"rail {rail.name}", f"at most {rail.budget_ma:g} mA", got, todo)


def _sound_needs_speed(design: Design) -> Iterator[Problem]:
    for mounted in design.sensors:
        if mounted.sensor.kind == "i2s" and design.board.sound != "yes":
            got = f"{design.board.name}, {design.board.sound}: {design.board.sound_because}"
            todo = "take a board that is, or measure it and say so in the board's file"
            yield Problem(mounted.name, "a board fast enough for the sound level meter", got, todo)


def _outbox_is_long_enough(design: Design) -> Iterator[Problem]:
    days = budget(design).days
    if days < DAYS_NEEDED:
        todo = "enlarge the outbox partition or take a board with more flash"
        yield Problem(design.name, f"an outbox of {DAYS_NEEDED} days or more", f"{days:.1f} days", todo)


def _by_bus(design: Design) -> list[tuple[Bus, list[Mounted]]]:
    return [(bus, [m for m in design.sensors if m.bus is bus]) for bus in design.buses.values()]


def _free(design: Design) -> str:
    taken = {use.pin for use in uses(design)}
    free = [str(pin) for pin in design.board.usable if pin not in taken]
    return f"free pins of {design.board.name}: {', '.join(free) or 'none'}"


RULES: tuple[Callable[[Design], Iterator[Problem]], ...] = (
    _board_is_for_it,
    _pins_exist_and_are_free,
    _controllers_exist_and_are_free,
    _counters_are_enough,
    _sensors_hang_on_their_kind_of_bus,
    _serial_lines_have_one_user,
    _addresses_differ,
    _clocks_fit,
    _voltages_fit,
    _rails_are_strong_enough,
    _sound_needs_speed,
    _outbox_is_long_enough,
)
