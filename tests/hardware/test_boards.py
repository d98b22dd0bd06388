"""Boards: partition tables that add up, pins that exist, and what the reference says about the three chips."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.board import FIRST_OFFSET, SECTOR_BYTES, Board, Partition, check_partitions, parse_board
from hardware.catalog import CatalogError, boards

ALL = list(boards().values())
KINDS = {
    "nvs": "data",
    "otadata": "data",
    "phy_init": "data",
    "outbox": "data",
    "vfs": "data",
    "ota_0": "app",
    "ota_1": "app",
}


@pytest.mark.parametrize("board", ALL, ids=lambda board: board.name)
def test_partitions_fill_the_flash(board: Board) -> None:
    ends = [partition.offset + partition.size for partition in board.partitions]
    assert [FIRST_OFFSET, *ends[:-1]] == [partition.offset for partition in board.partitions]
    assert ends[-1] == board.flash_bytes


def test_slots_are_those_of_micropythons_own_tables() -> None:
    slots = {board.name: (board.partition("ota_0").size, board.partition("ota_1").offset) for board in ALL}
    assert slots == {
        "esp32-s3-devkitc-1": (0x270000, 0x280000),
        "esp32-c6-devkitc-1": (0x270000, 0x280000),
        "esp32-devkitc": (0x180000, 0x190000),
    }


def test_small_board_leaves_what_the_stock_file_system_has() -> None:
    small = boards()["esp32-devkitc"]
    assert small.partition("outbox").size + small.partition("vfs").size == 983_040


@given(st.lists(st.integers(0, 40), min_size=3, max_size=3), st.integers(1, 30))
def test_any_table_without_gap_is_accepted_and_any_shift_is_refused(extra: list[int], slot: int) -> None:
    sizes = [0x4000, 0x2000, 0x1000, slot * 0x10000, slot * 0x10000, *(0x1000 * (n + 4) for n in extra[:2])]
    names = ["nvs", "otadata", "phy_init", "ota_0", "ota_1", "outbox", "vfs"]
    at, rows = FIRST_OFFSET, []
    for name, size in zip(names, sizes, strict=True):
        rows.append(Partition(name, KINDS[name], name, at, size))
        at += size
    check_partitions("x", tuple(rows), at)
    with pytest.raises(CatalogError, match="expected to end with the flash"):
        check_partitions("x", tuple(rows), at + SECTOR_BYTES)
    for index, row in enumerate(rows):
        for shift in (-SECTOR_BYTES, SECTOR_BYTES):
            moved = [*rows[:index], replace(row, offset=row.offset + shift), *rows[index + 1 :]]
            with pytest.raises(CatalogError, match=rf"{row.name}: expected offset {row.offset:#x}"):
                check_partitions("x", tuple(moved), at)


def _changed(pattern: str, replacement: str, name: str = "esp32-devkitc") -> Board:
    text = (files("hardware") / "boards" / f"{name}.toml").read_text("utf-8")
    assert pattern in text
    return parse_board(name, text.replace(pattern, replacement, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("flash_bytes = 0x40_0000", "flash_bytes = 0x80_0000", "end with the flash at 0x800000; got 0x400000"),
        ('name = "outbox"', 'name = "spool"', "[[partitions]]: expected nvs, otadata, phy_init, ota_0, ota_1"),
        ("offset = 0x31_0000", "offset = 0x32_0000", "outbox: expected offset 0x310000, the end of the one before"),
        ("offset = 0x19_0000\nsize = 0x18", "offset = 0x19_0000\nsize = 0x17", "outbox: expected offset 0x300000"),
        ("strapping = [0, 2", "strapping = [0, 1, 2", "strapping: expected pins of no other list; got 1 of console"),
        ('"GPIO36", "GPIO39"', '"GPIO36", "GPIO36"', "[[headers]]: expected each GPIO once; got 36 twice"),
        ('"3V3", "EN"', '"3.3V", "EN"', "[[headers]] J2 pins: expected GPIO and a number, or one of 3V3, 5V, GND"),
        ('fast_enough = "yes"', "fast_enough = true", "fast_enough: expected one of yes, no, unknown; got True"),
        ('name = "busy"', 'name = "hot"', "[[modes]] hot name: expected one of idle, busy, receive, send; got 'hot'"),
        ("console = [1, 3]", 'console = ["1"]', "[pins] [forbidden] console: expected a list of whole numbers"),
        ("psram_bytes = 0", "psram_bytes = 0\nusb = true", "modes; got usb"),
    ],
)  # fmt: skip
def test_mistake_in_a_board_file_is_named(old: str, new: str, message: str) -> None:
    with pytest.raises(CatalogError) as caught:
        _changed(old, new)
    assert message in str(caught.value)


def test_usable_pins_are_on_a_header_and_free() -> None:
    assert {board.name: board.usable for board in ALL} == {
        "esp32-s3-devkitc-1": (1, 2, *range(4, 19), 21, 39, 40, 41, 42, 47),
        "esp32-devkitc": (4, 13, 14, 16, 17, 18, 19, 21, 22, 23, 25, 26, 27, 32, 33, 34, 35, 36, 39),
        "esp32-c6-devkitc-1": (0, 1, 2, 3, 6, 7, 10, 11, 18, 19, 20, 21, 22, 23),
    }


def test_only_boards_with_a_measured_or_argued_answer_may_do_sound() -> None:
    assert {board.name: board.sound for board in ALL} == {
        "esp32-s3-devkitc-1": "yes", "esp32-devkitc": "yes", "esp32-c6-devkitc-1": "unknown",
    }  # fmt: skip
