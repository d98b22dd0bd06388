"""Every shipped design is fit; every refusal says where, what was expected, what it got and what to do."""

from __future__ import annotations

import pytest

from hardware.catalog import boards
from hardware.check import RULES, check, uses
from hardware.design import Design
from tests.hardware.drafts import I2C, I2S, PULSES, SENSOR, UART, changed, draft, problems, shipped, with_sensor


@pytest.mark.parametrize("design", shipped(), ids=lambda design: design.name)
def test_shipped_design_has_no_problem(design: Design) -> None:
    assert problems(design) == []


def test_shipped_designs_are_the_three_reference_designs() -> None:
    assert {design.name: design.board.name for design in shipped()} == {
        "street": "esp32-s3-devkitc-1",
        "plaza": "esp32-s3-devkitc-1",
        "gate": "esp32-devkitc",
    }


def test_plain_draft_is_fit_so_that_each_refusal_has_one_cause() -> None:
    assert problems(with_sensor("sen55", "5V")) == []


def test_two_users_of_one_pin_are_refused() -> None:
    found = problems(changed("plaza", "scl = 9", "scl = 4"))
    assert len(found) == 1
    assert found[0].startswith(
        "i2s0 sck: expected a pin of its own, got GPIO4, i2c0 scl too; free pins of esp32-s3-dev"
    )


@pytest.mark.parametrize(
    ("board", "pin", "reason"),
    [
        ("esp32-s3-devkitc-1", 27, "flash"),
        ("esp32-s3-devkitc-1", 35, "psram"),
        ("esp32-s3-devkitc-1", 19, "usb"),
        ("esp32-s3-devkitc-1", 43, "console"),
        ("esp32-s3-devkitc-1", 38, "led"),
        ("esp32-devkitc", 6, "flash"),
        ("esp32-devkitc", 11, "flash"),
        ("esp32-devkitc", 1, "console"),
        ("esp32-c6-devkitc-1", 24, "flash"),
        ("esp32-c6-devkitc-1", 12, "usb"),
    ],
)
def test_pin_that_the_board_needs_itself_is_refused(board: str, pin: int, reason: str) -> None:
    found = problems(with_sensor("sen55", "5V", scl=pin, sda=18, board=board, design="gate"))
    assert len(found) == 1
    assert found[0].startswith(
        f"i2c0 scl: expected a pin that the board leaves free, got GPIO{pin}, which is {reason}; "
    )


@pytest.mark.parametrize(
    ("board", "pins"),
    [
        ("esp32-s3-devkitc-1", (0, 3, 45, 46)),
        ("esp32-devkitc", (0, 2, 5, 12, 15)),
        ("esp32-c6-devkitc-1", (4, 5, 8, 9, 15)),
    ],
)
def test_strapping_pin_is_refused(board: str, pins: tuple[int, ...]) -> None:
    for pin in pins:
        found = problems(with_sensor("sen55", "5V", scl=18, sda=pin, board=board, design="gate"))
        assert [line.split("; ")[0] for line in found] == [
            f"i2c0 sda: expected a pin that does not decide how the chip boots, got GPIO{pin}, strapping"
        ]


def test_refusal_of_a_pin_names_the_free_ones() -> None:
    found = problems(with_sensor("sen55", "5V", scl=6, sda=14, board="esp32-c6-devkitc-1"))
    assert found == [
        "i2c0 sda: expected a pin on a header of esp32-c6-devkitc-1, got GPIO14; "
        "free pins of esp32-c6-devkitc-1: 0, 1, 2, 3, 7, 10, 11, 18, 19, 20, 21, 22, 23"
    ]


@pytest.mark.parametrize("pin", [34, 35, 36, 39])
def test_output_on_an_input_only_pin_is_refused(pin: int) -> None:
    found = problems(with_sensor("vl53l1x", "3V3", scl=pin, sda=26, board="esp32-devkitc", design="gate"))
    assert [line.split("; ")[0] for line in found] == [
        f"i2c0 scl: expected a pin that can be an output, got GPIO{pin}, input only"
    ]


def test_input_on_an_input_only_pin_is_fit() -> None:
    bus = UART.format(name="uart1", controller=1, baud=9600, tx=25, rx=34)
    sensor = SENSOR.format(name="pm", sensor="sds011", bus="uart1", rail="5V")
    assert problems(draft(bus, sensor, board="esp32-devkitc", name="gate")) == []


def test_pulled_up_input_on_a_pin_without_pull_up_is_refused() -> None:
    found = problems(draft(PULSES.format(name="door", enter=25, leave=35), board="esp32-devkitc", name="gate"))
    assert [line.split("; ")[0] for line in found] == [
        "door out: expected a pull-up inside the chip, got GPIO35, input only"
    ]


def test_sen55_and_sps30_on_one_bus_share_an_address_and_are_refused() -> None:
    sen55 = SENSOR.format(name="air", sensor="sen55", bus="i2c0", rail="5V")
    sps30 = SENSOR.format(name="dust", sensor="sps30", bus="i2c0", rail="5V")
    assert problems(draft(I2C.format(scl=9, sda=8), sen55, sps30)) == [
        "i2c0: expected different I2C addresses on one bus, got 0x69 for air (sen55) and dust (sps30); "
        "put one of them on another I2C controller or choose another address"
    ]


def test_two_bme280_with_different_addresses_are_fit() -> None:
    first = SENSOR.format(name="inner", sensor="bme280", bus="i2c0", rail="3V3")
    second = SENSOR.format(name="outer", sensor="bme280", bus="i2c0", rail="3V3") + "address = 0x77\n"
    assert problems(draft(I2C.format(scl=9, sda=8), first, second)) == []


def test_sen66_at_400_khz_is_refused() -> None:
    assert problems(changed("street", "hz = 100_000", "hz = 400_000")) == [
        "air: expected at most 100000 Hz for sen66, got 400000 Hz on i2c0; set hz of i2c0 to 100000 or less"
    ]


def test_wrong_baud_rate_is_refused() -> None:
    assert problems(changed("plaza", "baud = 256_000", "baud = 115_200")) == [
        "people: expected 256000 baud for ld2450, got 115200 baud on uart1; set baud of uart1 to 256000"
    ]


def test_two_users_of_one_uart_are_refused() -> None:
    bus = UART.format(name="uart1", controller=1, baud=9600, tx=17, rx=18)
    one = SENSOR.format(name="one", sensor="sds011", bus="uart1", rail="5V")
    two = SENSOR.format(name="two", sensor="pms5003", bus="uart1", rail="5V")
    assert problems(draft(bus, one, two)) == [
        "uart1: expected one sensor on a bus of kind uart, got one, two; give each its own uart"
    ]


def test_two_buses_on_one_controller_are_refused() -> None:
    first = UART.format(name="uart1", controller=1, baud=9600, tx=17, rx=18)
    second = UART.format(name="other", controller=1, baud=9600, tx=15, rx=16)
    one = SENSOR.format(name="one", sensor="sds011", bus="uart1", rail="5V")
    two = SENSOR.format(name="two", sensor="pms5003", bus="other", rail="5V")
    assert problems(draft(first, second, one, two)) == [
        "other: expected a controller of its own, got uart1, uart1 too; take another controller, or share the bus"
    ]


def test_console_uart_is_refused() -> None:
    assert problems(changed("plaza", "controller = 1", "controller = 0")) == [
        "uart1: expected a UART that is not the console, got uart0; take another controller"
    ]


def test_controller_that_the_board_lacks_is_refused() -> None:
    assert problems(changed("plaza", "controller = 1", "controller = 3")) == [
        "uart1: expected uart controller 0 to 2, got 3; esp32-s3-devkitc-1 has 3"
    ]


def test_more_counted_pins_than_counters_are_refused() -> None:
    doors = [PULSES.format(name=f"door{n}", enter=enter, leave=enter + 1) for n, enter in enumerate((4, 6, 15))]
    assert problems(draft(*doors)) == [
        "draft: expected at most 4 counted pins on esp32-s3-devkitc-1, got 6; count fewer pins"
    ]


def test_sensor_on_a_bus_of_another_kind_is_refused() -> None:
    sensor = SENSOR.format(name="pm", sensor="sds011", bus="i2c0", rail="5V")
    found = problems(draft(I2C.format(scl=9, sda=8), sensor))
    assert found[0] == "pm: expected a bus of kind uart, got i2c0 of kind i2c; give sds011 such a bus"


def test_wrong_voltage_is_refused() -> None:
    assert problems(with_sensor("sen55", "3V3")) == [
        "one: expected 4.5 to 5.5 V for sen55, got 3V3 with 3.3 V; hang it on another rail"
    ]


def test_sen66_on_the_boards_own_regulator_is_over_its_budget() -> None:
    assert problems(changed("street", 'rail = "air_3v3"', 'rail = "3V3"')) == [
        "rail 3V3: expected at most 500 mA, got 705.49 mA when all peaks meet; "
        "move a sensor to another rail or take a stronger supply"
    ]


def test_weak_power_supply_is_refused() -> None:
    assert problems(changed("plaza", "budget_ma = 2000", "budget_ma = 900")) == [
        "rail 5V: expected at most 900 mA, got 905.49 mA when all peaks meet; "
        "move a sensor to another rail or take a stronger supply"
    ]


def test_sound_on_a_chip_of_unknown_speed_is_refused() -> None:
    bus = I2S.format(name="i2s0", controller=0, sck=0, ws=1, sd=2)
    sensor = SENSOR.format(name="noise", sensor="ics43434", bus="i2s0", rail="3V3")
    found = problems(draft(bus, sensor, board="esp32-c6-devkitc-1"))
    assert found == [
        "noise: expected a board fast enough for the sound level meter, got esp32-c6-devkitc-1, unknown: "
        f"{boards()['esp32-c6-devkitc-1'].sound_because}; "
        "take a board that is, or measure it and say so in the board's file"
    ]


def test_another_design_than_a_gate_on_the_small_board_is_refused() -> None:
    found = problems(with_sensor("vl53l1x", "3V3", scl=27, sda=26, board="esp32-devkitc", design="street"))
    assert found == [
        "street: expected the design gate on esp32-devkitc, got street; "
        "take another board: 4 MB of flash leave 0x60000 bytes for the outbox and 0x90000 for two app slots, "
        "and there is no PSRAM for sound buffers"
    ]


def test_outbox_of_less_than_14_days_is_refused() -> None:
    from dataclasses import replace

    gate = next(design for design in shipped() if design.name == "gate")
    small = tuple(replace(p, size=0x4000) if p.name == "outbox" else p for p in gate.board.partitions)
    design = replace(gate, board=replace(gate.board, partitions=small))
    assert problems(design) == [
        "gate: expected an outbox of 14 days or more, got 2.0 days; "
        "enlarge the outbox partition or take a board with more flash"
    ]


def test_problems_of_all_rules_are_returned_together() -> None:
    sensor = SENSOR.format(name="air", sensor="sen66", bus="i2c0", rail="5V")
    found = check(draft(I2C.format(scl=3, sda=35), sensor))
    assert [problem.where for problem in found] == ["i2c0 scl", "i2c0 sda", "air"]
    assert len(RULES) == 12


def test_uses_name_every_pin_of_a_design_once() -> None:
    plaza = next(design for design in shipped() if design.name == "plaza")
    pins = {f"{use.where} {use.signal}": use.pin for use in uses(plaza)}
    assert pins == {
        "i2c0 scl": 9, "i2c0 sda": 8, "i2s0 sck": 4, "i2s0 ws": 5, "i2s0 sd": 6, "uart1 tx": 17, "uart1 rx": 18,
    }  # fmt: skip
