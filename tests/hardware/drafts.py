"""Designs for tests, written as TOML: a plain one that is fit, to be changed by one entry."""

from __future__ import annotations

import re

from hardware.catalog import boards, designs, sensors
from hardware.check import check
from hardware.design import Design, parse_design

HEAD = """
title = "Draft"
source = "tests"
board = "{board}"

[[rails]]
name = "5V"
volts = 5.0
budget_ma = 2000
part = "power supply"
source = "tests"
"""
I2C = """
[[buses]]
name = "i2c0"
kind = "i2c"
controller = 0
hz = 100_000
pins = {{ scl = {scl}, sda = {sda} }}
"""
UART = """
[[buses]]
name = "{name}"
kind = "uart"
controller = {controller}
baud = {baud}
pins = {{ tx = {tx}, rx = {rx} }}
"""
I2S = """
[[buses]]
name = "{name}"
kind = "i2s"
controller = {controller}
pins = {{ sck = {sck}, ws = {ws}, sd = {sd} }}
"""
SENSOR = """
[[sensors]]
name = "{name}"
sensor = "{sensor}"
bus = "{bus}"
rail = "{rail}"
"""
PULSES = """
[[sensors]]
name = "{name}"
sensor = "pulse_counter"
rail = "3V3"
pins = {{ in = {enter}, out = {leave} }}
"""
S3 = "esp32-s3-devkitc-1"


def draft(*parts: str, board: str = S3, name: str = "draft") -> Design:
    """Return the design of HEAD for `board` and further TOML texts."""
    return parse_design(name, HEAD.format(board=board) + "".join(parts), boards(), sensors())


def with_sensor(name: str, rail: str, *, scl: int = 9, sda: int = 8, board: str = S3, design: str = "draft") -> Design:
    """Return a design with one I2C sensor, on pins of choice."""
    bus = I2C.format(scl=scl, sda=sda)
    return draft(bus, SENSOR.format(name="one", sensor=name, bus="i2c0", rail=rail), board=board, name=design)


def changed(name: str, pattern: str, replacement: str) -> Design:
    """Return a shipped design whose TOML has `pattern` replaced once."""
    from importlib.resources import files

    text = (files("hardware") / "designs" / f"{name}.toml").read_text("utf-8")
    edited, count = re.subn(pattern, replacement, text, count=1)
    assert count == 1, pattern
    return parse_design(name, edited, boards(), sensors())


def problems(design: Design) -> list[str]:
    """Return a design's problems as lines."""
    return [str(problem) for problem in check(design)]


def shipped() -> list[Design]:
    """Return the designs that the package ships."""
    return list(designs().values())
