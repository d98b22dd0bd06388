"""What a design says in node.json: each reference design opens on the real firmware, on the models it is wired to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from device_manager.adapters.virtual_files import wiring
from hardware.catalog import designs
from hardware.check import check
from hardware.node_document import bus_rows, sensor_rows

SCRIPT = """
import json
from firmware.hal.buses import Buses
from firmware.sensing.opening import open_driver
from firmware.sensing.record import Record
from firmware.sensing.sensor import Sensor
node = json.load(open("node.json"))
buses = Buses(node["buses"])
sensors, first = [], 0
for row in node["sensors"]:
    sensors.append(Sensor(row["name"], open_driver(row, buses), first, print))
    first += len(sensors[-1].driver.inputs)
print(json.dumps([name for name, _ in Record(sensors).names]))
"""


def test_rows_of_the_plaza_are_those_of_its_file() -> None:
    air, noise, people = (
        {row["name"]: row for row in sensor_rows(designs()["plaza"])}[name] for name in ("air", "noise", "people")
    )
    assert air == {"name": "air", "driver": "sen66", "bus": 0}
    assert noise["driver"] == "microphone" and noise["model"] == "ics43434" and noise["sck"] == 4
    assert people == {
        "name": "people", "driver": "ld2450", "uart": 1, "tx": 17, "rx": 18, "line": [0, 4000, 0, 1000],
    }  # fmt: skip
    assert bus_rows(designs()["plaza"]) == [{"bus": 0, "scl": 9, "sda": 8, "hz": 100_000}]


@pytest.mark.parametrize("name", ["street", "plaza", "gate"])
def test_design_opens_on_the_firmware_with_all_its_quantities(micropython, tmp_path: Path, name: str) -> None:
    design = designs()[name]
    assert check(design) == []
    (tmp_path / "node.json").write_text(json.dumps({"sensors": sensor_rows(design), "buses": bus_rows(design)}))
    (tmp_path / "virtual.json").write_text(json.dumps(wiring(design)))
    done = micropython(SCRIPT, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = [quantity for mounted in design.sensors for quantity in mounted.sensor.quantities]
    assert sorted(json.loads(done.stdout)) == sorted(wanted)
