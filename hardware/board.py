"""A board: what a TOML file of `boards/` says, checked.

What is checked here is the file itself: partitions that add up, pins that exist, no pin in two lists. Whether a design
fits on the board is `hardware.check`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hardware.fields import CatalogError, Reader, parse

MODES = ("idle", "busy", "receive", "send")
ANSWERS = ("yes", "no", "unknown")
POWER_LABELS = ("3V3", "5V", "GND", "RST", "EN", "NC")
FIRST_OFFSET = 0x9000  # the bootloader and the partition table lie below
SECTOR_BYTES = 0x1000
APP_ALIGNMENT_BYTES = 0x10000
NEEDED_PARTITIONS = ("nvs", "otadata", "phy_init", "ota_0", "ota_1", "outbox", "vfs")


@dataclass(frozen=True, slots=True)
class Partition:
    """A row of the partition table; `offset` and `size` in bytes."""

    name: str
    type: str
    subtype: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Rail:
    """A supply: what hangs on `name` may draw `budget_ma` in sum. `fed_by` is the rail it is made from, or empty."""

    name: str
    volts: float
    budget_ma: float
    fed_by: str
    part: str
    source: str


@dataclass(frozen=True, slots=True)
class Mode:
    """What the board's module draws from 3V3 in one mode of MODES."""

    name: str
    milliamps: float
    source: str


@dataclass(frozen=True, slots=True)
class Board:
    """A hardware model. `forbidden` maps a reason (flash, usb) to GPIO numbers, `controllers` a kind to a count."""

    name: str
    title: str
    part: str
    source: str
    chip: str
    cpu_mhz: int
    flash_bytes: int
    psram_bytes: int
    sound: str
    sound_because: str
    only_designs: tuple[str, ...]
    only_because: str
    controllers: dict[str, int]
    headers: dict[str, tuple[str, ...]]
    forbidden: dict[str, tuple[int, ...]]
    strapping: tuple[int, ...]
    input_only: tuple[int, ...]
    partitions: tuple[Partition, ...]
    rails: tuple[Rail, ...]
    modes: tuple[Mode, ...]

    @property
    def pins(self) -> tuple[int, ...]:
        """GPIO numbers that are led out to a header."""
        labels = [label for pins in self.headers.values() for label in pins]
        return tuple(int(label[4:]) for label in labels if label.startswith("GPIO"))

    @property
    def usable(self) -> tuple[int, ...]:
        """GPIO numbers that a design may use: led out, not forbidden, not strapping."""
        taken = {pin for pins in self.forbidden.values() for pin in pins} | set(self.strapping)
        return tuple(sorted(set(self.pins) - taken))

    def partition(self, name: str) -> Partition:
        """Return the partition of that name; every board has those of NEEDED_PARTITIONS."""
        return next(partition for partition in self.partitions if partition.name == name)

    def mode(self, name: str) -> Mode | None:
        """Return what is known of a mode, or None."""
        return next((mode for mode in self.modes if mode.name == name), None)

    @property
    def peak_ma(self) -> float | None:
        """The most that a mode draws, or None when nothing is known."""
        return max((mode.milliamps for mode in self.modes), default=None)


def parse_board(name: str, text: str) -> Board:
    """Parse the TOML text of board `name`; CatalogError names file and entry at fault."""
    root = parse(f"boards/{name}.toml", text)
    sound, only = root.table("sound"), root.maybe_table("only")
    forbidden, strapping, input_only = _pins(root.table("pins"))
    board = Board(
        name=name,
        title=root.text("title"),
        part=root.text("part"),
        source=root.text("source"),
        chip=root.text("chip"),
        cpu_mhz=root.whole("cpu_mhz", 1),
        flash_bytes=root.whole("flash_bytes", 1),
        psram_bytes=root.whole("psram_bytes"),
        sound=sound.choice("fast_enough", ANSWERS),
        sound_because=sound.text("because"),
        only_designs=only.texts("designs") if only else (),
        only_because=only.text("because") if only else "",
        controllers=_controllers(root.table("controllers")),
        headers={row.text("name"): _labels(row) for row in root.tables("headers")},
        forbidden=forbidden,
        strapping=strapping,
        input_only=input_only,
        partitions=tuple(_partition(row) for row in root.tables("partitions")),
        rails=tuple(parse_rail(row) for row in root.tables("rails")),
        modes=tuple(_mode(row) for row in root.tables("modes")),
    )
    for reader in (root, sound, *([only] if only else [])):
        reader.done()
    check_pins(root.where, board)
    check_partitions(root.where, board.partitions, board.flash_bytes)
    return board


def parse_rail(row: Reader) -> Rail:
    """Return one row of rails, of a board or of a design."""
    rail = Rail(
        row.text("name"),
        row.number("volts"),
        row.number("budget_ma"),
        row.maybe_text("fed_by") or "",
        row.maybe_text("part") or "",
        row.text("source"),
    )
    row.done()
    return rail


def check_partitions(where: str, partitions: tuple[Partition, ...], flash_bytes: int) -> None:
    """Refuse a table that does not fill the flash from FIRST_OFFSET to its end without gap or overlap."""
    names = [partition.name for partition in partitions]
    if sorted(names) != sorted(NEEDED_PARTITIONS):
        expected = ", ".join(NEEDED_PARTITIONS)
        raise CatalogError(f"{where} [[partitions]]: expected {expected}; got {', '.join(names) or 'none'}")
    at = FIRST_OFFSET
    for partition in partitions:
        entry = f"{where} [[partitions]] {partition.name}"
        if partition.offset != at:
            raise CatalogError(
                f"{entry}: expected offset {at:#x}, the end of the one before; got {partition.offset:#x}"
            )
        alignment = APP_ALIGNMENT_BYTES if partition.type == "app" else SECTOR_BYTES
        if partition.offset % alignment or partition.size % SECTOR_BYTES:
            expected = f"an offset in steps of {alignment:#x} and a size in steps of {SECTOR_BYTES:#x}"
            raise CatalogError(f"{entry}: expected {expected}; got {partition.offset:#x} and {partition.size:#x}")
        at += partition.size
    if at != flash_bytes:
        raise CatalogError(f"{where} [[partitions]]: expected to end with the flash at {flash_bytes:#x}; got {at:#x}")
    slots = {partition.size for partition in partitions if partition.type == "app"}
    if len(slots) != 1:
        shown = ", ".join(f"{size:#x}" for size in sorted(slots))
        raise CatalogError(f"{where} [[partitions]]: expected two app slots of one size; got {shown or 'none'}")


def check_pins(where: str, board: Board) -> None:
    """Refuse a pin that stands in two lists, and a header with a pin twice."""
    seen: dict[int, str] = {}
    for name, pins in (*board.forbidden.items(), ("strapping", board.strapping)):
        for pin in pins:
            if pin in seen:
                raise CatalogError(f"{where} [pins] {name}: expected pins of no other list; got {pin} of {seen[pin]}")
            seen[pin] = name
    twice = sorted({pin for pin in board.pins if board.pins.count(pin) > 1})
    if twice:
        raise CatalogError(f"{where} [[headers]]: expected each GPIO once; got {', '.join(map(str, twice))} twice")


def _pins(table: Reader) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...], tuple[int, ...]]:
    reasons = table.table("forbidden")
    forbidden = {reason: reasons.wholes(reason) for reason in reasons.names()}
    table.text("source")
    strapping, input_only = table.wholes("strapping"), table.wholes("input_only")
    table.done()
    return forbidden, strapping, input_only


def _controllers(table: Reader) -> dict[str, int]:
    table.text("source")
    counts = {kind: table.whole(kind) for kind in ("i2c", "uart", "i2s", "counter", "console_uart")}
    table.done()
    return counts


def _labels(row: Reader) -> tuple[str, ...]:
    labels = row.texts("pins")
    for label in labels:
        if label not in POWER_LABELS and not (label.startswith("GPIO") and label[4:].isdigit()):
            raise row.error("pins", f"GPIO and a number, or one of {', '.join(POWER_LABELS)}", label)
    row.done()
    return labels


def _partition(row: Reader) -> Partition:
    partition = Partition(
        row.text("name"),
        row.choice("type", ("app", "data")),
        row.text("subtype"),
        row.whole("offset"),
        row.whole("size", 1),
    )
    row.done()
    return partition


def _mode(row: Reader) -> Mode:
    mode = Mode(row.choice("name", MODES), row.number("milliamps"), row.text("source"))
    row.done()
    return mode
