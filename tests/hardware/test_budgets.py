"""Flash, power and parts of the reference designs: golden numbers, and the outbox's format as the firmware has it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware.outbox import layout
from firmware.wire import frame
from hardware import flash_budget
from hardware.bom import bom, to_csv, to_markdown
from hardware.catalog import designs
from hardware.flash_budget import DAYS_NEEDED, budget, sector_frames
from hardware.power import power, rail_most_ma
from tests.hardware.drafts import PULSES, draft


def test_overheads_are_those_of_the_firmware() -> None:
    assert flash_budget.SECTOR_BYTES == layout.SECTOR_BYTES
    assert flash_budget.SECTOR_HEAD_BYTES == layout.SECTOR_HEAD_BYTES
    assert flash_budget.RECORD_HEAD_BYTES == layout.RECORD_HEAD_BYTES
    assert flash_budget.NOTES_BYTES == layout.SECTOR_BYTES - layout.NOTE_AT == layout.NOTES * layout.NOTE_BYTES
    for length in range(1, layout.MAX_PAYLOAD):
        assert sector_frames(length) == (layout.NOTE_AT - layout.SECTOR_HEAD_BYTES) // layout.record_bytes(length)


@pytest.mark.parametrize("channels", [1, 2, 15, 17])
def test_head_of_a_real_frame_is_within_the_budget(channels: int) -> None:
    batch = frame.Batch(channels, 30)
    batch.start(4_000_000_000, 3600)
    for _ in range(30):
        batch.add([0] * channels)
    buf = bytearray(frame.MAX_BYTES)
    length = batch.encode_into(buf, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    assert length - channels * 30 <= flash_budget.FRAME_HEAD_BYTES


@pytest.mark.parametrize(
    ("name", "channels", "frame_bytes", "frames", "days", "worst_days"),
    [("street", 16, 616, 6, 65.9, 11.0), ("plaza", 18, 688, 5, 54.9, 11.0), ("gate", 2, 112, 32, 63.3, 21.8)],
)
def test_days_of_outbox(
    name: str, channels: int, frame_bytes: int, frames: int, days: float, worst_days: float
) -> None:
    found = budget(designs()[name])
    assert (found.channels, found.frame_bytes, found.sector_frames) == (channels, frame_bytes, frames)
    assert (round(found.days, 1), round(found.worst_days, 1)) == (days, worst_days)
    assert found.days >= DAYS_NEEDED


def test_longer_outbox_never_holds_fewer_days() -> None:
    gate = designs()["gate"]
    days = []
    for sectors in range(4, 60):
        rows = tuple(replace(p, size=sectors * 4096) if p.name == "outbox" else p for p in gate.board.partitions)
        days.append(budget(replace(gate, board=replace(gate.board, partitions=rows))).days)
    assert days == sorted(days)


def test_power_of_the_plaza_by_mode() -> None:
    found = power(designs()["plaza"])
    assert [(draw.mode, draw.rails_ma, draw.watts) for draw in found.draws] == [
        ("idle", {"3V3": 48.09, "5V": 258.09, "air_3v3": 90.0}, 1.29),
        ("busy", {"3V3": 81.79, "5V": 291.79, "air_3v3": 90.0}, 1.46),
        ("receive", {"3V3": 95.49, "5V": 305.49, "air_3v3": 90.0}, 1.53),
        ("send", {"3V3": 355.49, "5V": 565.49, "air_3v3": 90.0}, 2.83),
        ("peak", {"3V3": 355.49, "5V": 905.49, "air_3v3": 350.0}, 4.53),
    ]
    assert "noise (ics43434): peak current" in found.unknown


def test_power_names_what_is_not_known() -> None:
    assert power(designs()["gate"]).unknown == (
        "people (vl53l1x): typical current",
        "people (vl53l1x): peak current",
        "5V: losses of power supply 230 V AC to 5 V DC, 1 A, open ends",
    )
    unsourced = draft(PULSES.format(name="door", enter=2, leave=3), board="esp32-c6-devkitc-1")
    assert power(unsourced).unknown[:2] == (
        "esp32-c6-devkitc-1: current in mode busy",
        "door (pulse_counter): supply voltage and current",
    )


def test_sum_of_a_rail_counts_what_is_made_of_it() -> None:
    plaza = designs()["plaza"]
    made = rail_most_ma(plaza, "3V3") + rail_most_ma(plaza, "air_3v3")
    assert rail_most_ma(plaza, "5V") == pytest.approx(made + 200)


@pytest.mark.parametrize("name", sorted(designs()))
def test_parts_list_names_board_sensors_and_supplies(name: str) -> None:
    design = designs()[name]
    purposes = [row[2] for row in bom(design)]
    assert purposes[0] == "board"
    assert {f"sensor {mounted.name}" for mounted in design.sensors} <= set(purposes)
    assert "supply 5V" in purposes
    assert len(to_markdown(design).splitlines()) == len(to_csv(design).splitlines()) + 3


def test_parts_list_as_csv_has_a_header_and_quotes_commas() -> None:
    lines = to_csv(designs()["gate"]).splitlines()
    assert lines[0] == "count,part,purpose,document"
    assert lines[3] == '1,"power supply 230 V AC to 5 V DC, 1 A, open ends",supply 5V,'
