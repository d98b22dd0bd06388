"""A sensor: what a TOML file of `sensors/` says, checked. A number without a source is left out of the file."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from hardware.fields import Reader, parse

KINDS = ("i2c", "uart", "i2s", "gpio")
DIRECTIONS = ("in", "in_pull_up", "out")
# What a bus needs of the board's pins; "both" needs a pin that can be an output.
BUS_SIGNALS = {
    "i2c": {"scl": "out", "sda": "both"},
    "uart": {"tx": "out", "rx": "in"},
    "i2s": {"sck": "out", "ws": "out", "sd": "in"},
    "gpio": {},
}
PIN_WORDS = ("supply", "ground", "open")


@dataclass(frozen=True, slots=True)
class Supply:
    """What a sensor needs: `volts` from..to, and milliamperes while it measures, None where no source says."""

    volts: tuple[float, float]
    typical_ma: float | None
    peak_ma: float | None

    @property
    def most_ma(self) -> float | None:
        """The peak where it is known, else the typical current, else None."""
        return self.peak_ma if self.peak_ma is not None else self.typical_ma


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor. `signals` are those a board's pins must serve; `pins` maps the sensor's own pins, in their order.

    `driver` is the firmware's, by the sensor's own name where the file names none.
    """

    name: str
    title: str
    part: str
    source: str
    driver: str
    quantities: tuple[str, ...]
    kind: str
    addresses: tuple[int, ...]
    max_hz: int | None
    baud: int | None
    supply: Supply | None
    warm_up_s: int | None
    life_hours: int | None
    signals: dict[str, str]
    pins: dict[str, str]


def parse_sensor(name: str, text: str, quantities: Container[str]) -> Sensor:
    """Parse the TOML text of sensor `name`; its quantities must be in `quantities`. CatalogError says what is wrong."""
    root = parse(f"sensors/{name}.toml", text)
    bus, pins = root.table("bus"), root.table("pins")
    kind = bus.choice("kind", KINDS)
    sensor = Sensor(
        name=name,
        title=root.text("title"),
        part=root.text("part"),
        source=root.text("source"),
        driver=root.maybe_text("driver") or name,
        quantities=_quantities(root, quantities),
        kind=kind,
        addresses=bus.wholes("addresses"),
        max_hz=bus.maybe_whole("max_hz", 1),
        baud=bus.maybe_whole("baud", 1),
        supply=_supply(root.maybe_table("supply")),
        warm_up_s=_sourced_whole(root.maybe_table("warm_up"), "seconds"),
        life_hours=_sourced_whole(root.maybe_table("life"), "hours"),
        signals=_signals(bus.maybe_table("signals")) if kind == "gpio" else BUS_SIGNALS[kind],
        pins={label: pins.text(label) for label in pins.names()},
    )
    bus.text("source")
    _check_bus(bus, sensor)
    _check_pins(pins, sensor)
    bus.done()
    root.done()
    return sensor


def _quantities(root: Reader, known: Container[str]) -> tuple[str, ...]:
    names = root.texts("quantities")
    for name in names:
        if name not in known:
            raise root.error("quantities", "names of quantities.toml", name)
    if not names:
        raise root.error("quantities", "at least one name of quantities.toml", "nothing")
    return names


def _supply(table: Reader | None) -> Supply | None:
    if table is None:
        return None
    supply = Supply(table.span("volts"), table.maybe_number("typical_ma"), table.maybe_number("peak_ma"))
    table.text("source")
    table.done()
    return supply


def _sourced_whole(table: Reader | None, key: str) -> int | None:
    if table is None:
        return None
    value = table.whole(key)
    table.text("source")
    table.done()
    return value


def _signals(table: Reader | None) -> dict[str, str]:
    return {} if table is None else {name: table.choice(name, DIRECTIONS) for name in table.names()}


def _check_bus(bus: Reader, sensor: Sensor) -> None:
    if sensor.kind == "i2c" and not sensor.addresses:
        raise bus.error("addresses", "at least one I2C address", "nothing")
    for address in sensor.addresses:
        if not 0x08 <= address <= 0x77:
            raise bus.error("addresses", "7-bit I2C addresses from 8 to 119", address)
    if sensor.kind == "uart" and sensor.baud is None:
        raise bus.error("baud", "the UART's baud rate", "nothing")
    if sensor.kind == "gpio" and not sensor.signals:
        raise bus.error("signals", "a table of signals and directions", "nothing")


def _check_pins(pins: Reader, sensor: Sensor) -> None:
    words = (*PIN_WORDS, *sensor.signals)
    for label, word in sensor.pins.items():
        if word not in words:
            raise pins.error(repr(label), f"one of {', '.join(words)}", word)
    missing = [signal for signal in sensor.signals if signal not in sensor.pins.values()]
    if missing:
        raise pins.error("", f"a pin for {', '.join(missing)}", "nothing")
