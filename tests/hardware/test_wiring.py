"""Wiring: every pin of a design is joined, and the drawing is well-formed and shows every net."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from hardware.catalog import designs
from hardware.design import Design
from hardware.nets import connections, headers
from hardware.wiring import draw
from tests.hardware.drafts import PULSES, SENSOR, UART, draft

SVG = "{http://www.w3.org/2000/svg}"
BOTH_SIDES = draft(
    UART.format(name="uart1", controller=1, baud=9600, tx=17, rx=16),
    SENSOR.format(name="pm", sensor="sds011", bus="uart1", rail="5V"),
    PULSES.format(name="door", enter=25, leave=26),
    board="esp32-devkitc",
    name="gate",
)
ALL = [*designs().values(), BOTH_SIDES]


def test_plaza_is_joined_pin_by_pin() -> None:
    assert connections(designs()["plaza"]) == [
        ("3V3", ["J1-1 3V3", "noise 3V"]),
        ("i2s0 sck", ["J1-4 GPIO4", "noise BCLK"]),
        ("i2s0 ws", ["J1-5 GPIO5", "noise LRCL"]),
        ("i2s0 sd", ["J1-6 GPIO6", "noise DOUT"]),
        ("uart1 tx", ["J1-10 GPIO17", "people Rx"]),
        ("uart1 rx", ["J1-11 GPIO18", "people Tx"]),
        ("i2c0 sda", ["J1-12 GPIO8", "air 3 SDA"]),
        ("i2c0 scl", ["J1-15 GPIO9", "air 4 SCL"]),
        ("5V", ["J1-21 5V", "people 5V", "supply 5V OUT + 5 V", "supply air_3v3 IN +"]),
        ("GND", ["J1-22 GND", "noise GND", "noise SEL", "people GND", "air 2 GND", "air 5 GND", "supply 5V GND",
                 "supply air_3v3 GND"]),
        ("air_3v3", ["air 1 VDD", "air 6 VDD", "supply air_3v3 OUT + 3.3 V"]),
    ]  # fmt: skip


@pytest.mark.parametrize("design", ALL, ids=lambda design: design.title)
def test_every_net_joins_two_pins_or_more(design: Design) -> None:
    assert {net: places for net, places in connections(design) if len(places) < 2} == {}


@pytest.mark.parametrize("design", ALL, ids=lambda design: design.title)
def test_every_pin_of_a_bus_is_on_a_header(design: Design) -> None:
    joined = {pin.label for block in headers(design) for pin in block.pins if pin.net}
    wanted = {f"GPIO{pin}" for bus in design.buses.values() for pin in bus.pins.values()}
    assert wanted | {"GND", "5V"} <= joined


@pytest.mark.parametrize("design", ALL, ids=lambda design: design.title)
def test_drawing_is_well_formed_and_names_every_net_and_part(design: Design) -> None:
    root = ElementTree.fromstring(draw(design))
    tags = [text.text for text in root.iter(f"{SVG}text") if text.attrib["fill"] == "#fff"]
    texts = [text.text for text in root.iter(f"{SVG}text") if text.attrib["fill"] != "#fff"]
    for net, places in connections(design):
        assert (tags.count(net), net in texts) == (len(places), True), net  # a tag at each pin, and the list
    for mounted in design.sensors:
        assert f"sensor {mounted.name}" in texts
    assert root.find(f"{SVG}title") is not None


@pytest.mark.parametrize("design", ALL, ids=lambda design: design.title)
def test_everything_drawn_lies_on_the_paper_and_lines_are_right_angled(design: Design) -> None:
    root = ElementTree.fromstring(draw(design))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for line in root.iter(f"{SVG}polyline"):
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        assert all(0 < x < width and 0 < y < height for x, y in points)
        for (x1, y1), (x2, y2) in zip(points, points[1:], strict=False):
            assert x1 == x2 or y1 == y2
    assert all(0 < float(text.attrib["y"]) < height for text in root.iter(f"{SVG}text"))


@pytest.mark.parametrize("design", ALL, ids=lambda design: design.title)
def test_nets_have_lanes_and_colours_of_their_own(design: Design) -> None:
    root = ElementTree.fromstring(draw(design))
    colours = {line.attrib["stroke"] for line in root.iter(f"{SVG}polyline")} - {"#fff"}
    assert len(colours) == len(connections(design))


def test_board_is_turned_so_that_its_busy_header_faces_the_parts() -> None:
    texts = [text.text for text in ElementTree.fromstring(draw(designs()["plaza"])).iter(f"{SVG}text")]
    assert texts.index("USB") < texts.index("antenna")
    texts = [text.text for text in ElementTree.fromstring(draw(BOTH_SIDES)).iter(f"{SVG}text")]
    assert headers(BOTH_SIDES)[0].name == "J2"
    assert texts.index("USB") < texts.index("antenna")


def test_title_is_escaped() -> None:
    from dataclasses import replace

    drawn = draw(replace(designs()["gate"], title="<Gate> & co"))
    assert "&lt;Gate&gt; &amp; co" in drawn
    ElementTree.fromstring(drawn)
