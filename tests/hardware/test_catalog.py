"""Catalogue files: what they must say, where they are documented, and how a mistake in one is reported."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from importlib.resources import files

import pytest

from hardware import catalog
from hardware.catalog import CatalogError, boards, quantities, sensors
from hardware.design import parse_design
from hardware.sensor import parse_sensor
from tests.conftest import ROOT

FOLDERS = ("boards", "sensors", "designs")
FILES = [(folder, entry.name) for folder in FOLDERS for entry in (files("hardware") / folder).iterdir()]
DRIVERS = ROOT / "firmware" / "sensing" / "drivers"
UNSOURCED = {"headers", "partitions", "sound", "only", "signals", "forbidden", "parts", "buses", "sensors", "pins"}


def _text(folder: str, name: str) -> str:
    return (files("hardware") / folder / name).read_text("utf-8")


def _tables(name: str, value: object) -> Iterator[tuple[str, dict[str, object]]]:
    if isinstance(value, dict):
        yield name, value
        for key, inner in value.items():
            yield from _tables(key, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _tables(name, inner)


def test_catalogue_holds_what_the_project_promises() -> None:
    assert set(boards()) == {"esp32-s3-devkitc-1", "esp32-devkitc", "esp32-c6-devkitc-1"}
    assert set(sensors()) == {
        "sen55", "sen66", "sps30", "scd41", "sht45", "bme280", "pms5003", "sds011", "dnms", "vl53l1x", "ld2450",
        "ics43434", "inmp441", "pulse_counter",
    }  # fmt: skip
    assert set(catalog.designs()) == {"street", "plaza", "gate"}


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_every_file_has_title_and_source(folder: str, name: str) -> None:
    table = tomllib.loads(_text(folder, name))
    assert table["title"] and table["source"]


@pytest.mark.parametrize(("folder", "name"), [pair for pair in FILES if pair[0] != "designs"])
def test_every_table_with_numbers_names_its_source(folder: str, name: str) -> None:
    bare = [
        key
        for key, table in _tables("file", tomllib.loads(_text(folder, name)))
        if "source" not in table and any(isinstance(value, int | float) for value in table.values())
    ]
    assert set(bare) <= UNSOURCED


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_every_file_is_documented_in_the_readme(folder: str, name: str) -> None:
    stem = name.removesuffix(".toml")
    assert f"| `{stem}` |" in (ROOT / "hardware" / "README.md").read_text("utf-8"), f"{stem} of {folder}/"


@pytest.mark.parametrize(
    "name", [name for name, sensor in sensors().items() if (DRIVERS / f"{sensor.driver}.py").exists()]
)
def test_channels_of_a_driver_are_the_quantities_of_its_sensor(name: str) -> None:
    tree = ast.parse((DRIVERS / f"{sensors()[name].driver}.py").read_text("utf-8"))
    names = {node.targets[0].id: node.value for node in ast.walk(tree) if _names_one(node)}  # type: ignore[attr-defined]
    assert {channel[0] for channel in ast.literal_eval(names["channels"])} == set(sensors()[name].quantities)


def _names_one(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)


def test_addresses_and_limits_are_those_of_the_reference() -> None:
    assert sensors()["sen55"].addresses == sensors()["sps30"].addresses == (0x69,)
    assert (sensors()["sen66"].addresses, sensors()["sen66"].max_hz) == ((0x6B,), 100_000)
    assert sensors()["ld2450"].baud == 256_000
    assert sensors()["sds011"].life_hours == 8_000
    assert [sensors()[name].warm_up_s for name in ("sen55", "pms5003", "dnms")] == [30, 30, None]


SENSOR = """
title = "X"
part = "X"
source = "X"
quantities = ["pm10"]
[bus]
kind = "i2c"
addresses = [0x20]
source = "X"
[pins]
"VDD" = "supply"
"SDA" = "sda"
"SCL" = "scl"
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "X"', "title = 3", "sensors/x.toml title: expected a text; got 3"),
        ('title = "X"', "", "sensors/x.toml title: expected a text; got nothing"),
        ('["pm10"]', '["pm11"]', "sensors/x.toml quantities: expected names of quantities.toml; got 'pm11'"),
        ('["pm10"]', "[]", "sensors/x.toml quantities: expected at least one name of quantities.toml; got nothing"),
        ('"i2c"', '"spi"', "sensors/x.toml [bus] kind: expected one of i2c, uart, i2s, gpio; got 'spi'"),
        (
            "[0x20]",
            "[0x52, 0xA4]",
            "sensors/x.toml [bus] addresses: expected 7-bit I2C addresses from 8 to 119; got 164",
        ),
        ("addresses = [0x20]\n", "", "sensors/x.toml [bus] addresses: expected at least one I2C address; got nothing"),
        (
            '"SDA" = "sda"',
            '"SDA" = "tx"',
            "sensors/x.toml [pins] 'SDA': expected one of supply, ground, open, scl, sda",
        ),
        ('"SDA" = "sda"\n', "", "sensors/x.toml [pins] : expected a pin for sda; got nothing"),
        ("[pins]", "[supply]\nvolts = [3.6, 3.0]\nsource = 'X'\n[pins]", "volts: expected [low, high] in rising order"),
        (
            "[pins]",
            "[supply]\nvolts = [3.0, 3.6]\n[pins]",
            "sensors/x.toml [supply] source: expected a text; got nothing",
        ),
        (
            "[pins]",
            "[life]\nhours = true\nsource = 'X'\n[pins]",
            "hours: expected a whole number of 0 or more; got True",
        ),
        ("[pins]", "[cost]\neuro = 3\n[pins]", "life; got cost"),
        ("kind", "speed = 9600\nkind", "sensors/x.toml [bus]: expected only kind, addresses, max_hz, baud"),
        ("[bus]", "[bus", "sensors/x.toml: expected TOML; got"),
    ],
)
def test_mistake_in_a_sensor_file_is_named(old: str, new: str, message: str) -> None:
    with pytest.raises(CatalogError) as caught:
        parse_sensor("x", SENSOR.replace(old, new, 1), quantities())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"esp32-devkitc"', '"esp8266"', "designs/gate.toml board: expected one of esp32-c6-devkitc-1, esp32-devkitc"),
        ('"vl53l1x"', '"vl53l0x"', "designs/gate.toml [[sensors]] people sensor: expected one of bme280"),
        ('bus = "i2c0"', 'bus = "i2c1"', "designs/gate.toml [[sensors]] people bus: expected one of i2c0; got 'i2c1'"),
        (
            'rail = "3V3"',
            'rail = "12V"',
            "designs/gate.toml [[sensors]] people rail: expected one of 3V3, 5V; got '12V'",
        ),
        ('name = "5V"', 'name = "3V3"', "designs/gate.toml rails: expected names other than 3V3; got '3V3'"),
        ('name = "5V"', 'name = "12V"', "designs/gate.toml [[rails]] 3V3 fed_by: expected one of 3V3, 12V; got '5V'"),
        ("volts = 5.0", 'fed_by = "3V3"\nvolts = 5.0', "expected a rail that it does not feed itself; got '3V3'"),
        ("scl = 27", "clock = 27", "designs/gate.toml [[buses]] i2c0 [pins] scl: expected a whole number of 0 or more"),
        ("hz = 400_000", "khz = 400", "designs/gate.toml [[buses]] i2c0 hz: expected a whole number of 1 or more"),
        ('kind = "i2c"', 'kind = "spi"', "designs/gate.toml [[buses]] i2c0 kind: expected one of i2c, uart, i2s"),
        ("count = 1", "count = 0", "designs/gate.toml [[parts]] 0 count: expected a whole number of 1 or more; got 0"),
        (
            'sensor = "vl53l1x"',
            'sensor = "vl53l1x"\naddress = 0x30',
            "expected an address that vl53l1x can have (0x29)",
        ),
        ("[[sensors]]", "colour = 1\n[[sensors]]", "designs/gate.toml [[buses]] i2c0: expected only"),
    ],
)
def test_mistake_in_a_design_file_is_named(old: str, new: str, message: str) -> None:
    text = _text("designs", "gate.toml")
    assert old in text
    with pytest.raises(CatalogError) as caught:
        parse_design("gate", text.replace(old, new, 1), boards(), sensors())
    assert message in str(caught.value)


def test_two_sensors_of_one_name_are_refused() -> None:
    text = _text("designs", "plaza.toml").replace('name = "people"', 'name = "air"')
    with pytest.raises(CatalogError, match="designs/plaza.toml sensors: expected different names; got 'air'"):
        parse_design("plaza", text, boards(), sensors())
