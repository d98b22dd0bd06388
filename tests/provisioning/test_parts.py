"""The pure parts of the bench, without a board."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from esp_idf_defs.partitions import PartitionTable

from hardware import catalog
from provisioning import images, label, partitions, self_test
from provisioning.errors import BenchError
from provisioning.journal import Journal
from provisioning.virtual import image as stand_in
from tests.conftest import ROOT


@pytest.mark.parametrize("board", list(catalog.boards()))
def test_partition_table_reads_back_as_the_catalogue_says(board: str) -> None:
    known = catalog.boards()[board]
    read = PartitionTable.from_binary(partitions.binary(known))
    assert [(p.name, p.offset, p.size) for p in read] == [(p.name, p.offset, p.size) for p in known.partitions]


def test_missing_image_is_named_with_board_file_and_version(tmp_path: Path) -> None:
    with pytest.raises(BenchError) as caught:
        images.find(tmp_path, catalog.boards()["esp32-s3-devkitc-1"], stand_in=False)
    assert "fetch ESP32_GENERIC_S3-SPIRAM_OCT-20260406-v1.28.0.bin" in str(caught.value)
    assert "esp32-s3-devkitc-1" in str(caught.value)


def test_stand_in_image_is_never_taken_for_a_real_board(tmp_path: Path) -> None:
    file = tmp_path / "ESP32_GENERIC-20260406-v1.28.0.bin"
    file.write_bytes(stand_in.make("ESP32", 0x1000, 5000))
    added = images.add(tmp_path, file)
    assert added.stand_in and added.version == "1.28.0-stand-in"
    with pytest.raises(BenchError, match="citynode image add"):
        images.find(tmp_path, catalog.boards()["esp32-devkitc"], stand_in=False)


def test_image_with_one_wrong_byte_is_not_added(tmp_path: Path) -> None:
    file = tmp_path / "ESP32_GENERIC-20260406-v1.28.0.bin"
    data = bytearray(stand_in.make("ESP32", 0x1000, 5000))
    data[-100] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(BenchError, match="expected a whole MicroPython image.*fetch it again"):
        images.add(tmp_path, file)
    assert images.listed(tmp_path) == []


def test_journal_cut_off_in_its_last_line_keeps_what_was_done(tmp_path: Path) -> None:
    order = {"site": "markt", "design": "gate"}
    journal = Journal.open(tmp_path, "aa:bb:cc:dd:ee:ff", order)
    journal.done("enrol", node="node-ddeeff")
    path = tmp_path / "provisioning" / "aabbccddeeff.jsonl"
    with path.open("a") as file:
        file.write('{"time": 1, "step": "fla')
    Journal.open(tmp_path, "aa:bb:cc:dd:ee:ff", order).done("flash", image="x")
    again = Journal.open(tmp_path, "aa:bb:cc:dd:ee:ff", order)
    assert again.facts("enrol") == {"node": "node-ddeeff"} and again.facts("flash") == {"image": "x"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(BenchError, match="start anew with --fresh"):
        Journal.open(tmp_path, "aa:bb:cc:dd:ee:ff", {"site": "rathaus", "design": "gate"})


def test_reading_beyond_its_quantity_or_with_a_fault_is_a_problem() -> None:
    report = {"sensor": "air", "error": "", "values": {"temperature": [2150, 0], "pm10": [50, 8], "co2": [420, 0]}}
    problems = {row.quantity: row.problem for row in self_test.judge([report])}
    assert problems == {"temperature": "outside -60 to 90", "pm10": "the sensor reports a fault", "co2": ""}


def test_label_has_the_id_in_every_form_and_foreign_codes_are_refused() -> None:
    made = label.Label("kempten-01", "markt", "Rathausplatz <1>")
    assert "kempten-01" in label.svg(made) and "&lt;1&gt;" in label.svg(made)
    assert label.png(made)[:4] == b"\x89PNG" and label.pdf(made)[:4] == b"%PDF"
    assert label.sheet([made] * 30).count(b"/Type /Page\n") == 2
    assert label.scan(made.code) == "kempten-01" and label.scan("citynode:1:../x") is None


def test_every_row_of_the_security_table_names_a_test_or_file_that_is_there() -> None:
    text = (ROOT / "provisioning" / "README.md").read_text("utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if re.match(r"\| 5\.\d+ ", line)]
    assert [row[0].split()[0] for row in rows] == [f"5.{number}" for number in range(1, 14)]
    for row in rows:
        named = re.findall(r"`([^`]+)`", row[2])
        assert named and all((ROOT / path).is_file() for path in named), row
