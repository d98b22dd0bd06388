"""Drivers on real MicroPython: against a captured SEN55, hand-made answers, and every fault a bus can have.

The captured words are from GlasgowEmbedded/glasgow, software/glasgow/applet/sensor/sen5x/fixtures, licence 0BSD.
"""

from pathlib import Path

FAKES = Path(__file__).parent.parent / "fakes"
PRELUDE = """
import asyncio, struct
from node_parts import ListDriver, TableI2C, crc_words
from firmware.sensing.drivers import SensorError, scaled
from firmware.sensing.opening import open_driver
from firmware.sensing.drivers import dnms, sen5x6x
from firmware.wire import quality

READY = crc_words(b"\\x00\\x01")
STATUS = crc_words(bytes(4))
CAPTURED = bytes.fromhex("002bed002e18002e18002e18165ed413222603d46c000a5a")

class Buses:
    def __init__(self, bus): self.bus = bus
    def i2c(self, number): return self.bus

def sensor(name, table):
    bus = TableI2C(table)
    driver = open_driver({"name": "x", "driver": name, "bus": 0}, Buses(bus))
    return bus, driver

def read(driver, times=1):
    async def go():
        for _ in range(times):
            values, flags = [None] * len(driver.inputs), [0] * len(driver.inputs)
            await driver.read(values, flags, 0)
        return dict(zip(driver.inputs, values)), dict(zip(driver.inputs, flags))
    return asyncio.run(go())

def expect(error, text, action, *arguments):
    try:
        action(*arguments)
    except error as caught:
        assert text in str(caught), str(caught)
    else:
        raise AssertionError("expected " + text)

def air(words=CAPTURED, status=STATUS, ready=READY):
    sen5x6x.READ_MS = 0
    return sensor("sen55", {0x0202: ready, 0x03C4: words, 0xD210: status})

def noise(*levels, ready=READY):
    return sensor("dnms", {0x0004: ready, 0x0005: crc_words(struct.pack(">3f", *levels))})
"""


def passes(micropython, body: str) -> None:
    """Run `body` after PRELUDE; an exception in it is a failure with its traceback."""
    done = micropython(PRELUDE + body, path=[FAKES])
    assert done.returncode == 0, done.stdout + done.stderr


def test_crc8_published_vector_matches(micropython):
    passes(micropython, "assert crc_words(b'\\xbe\\xef') == b'\\xbe\\xef\\x92'")


def test_sen55_captured_transcript_gives_the_decoded_readings(micropython):
    passes(micropython, """
bus, driver = air()
asyncio.run(driver.start())
values, flags = read(driver, 2)  # the stop takes its time, and nobody waits for it
assert set(values.values()) == {None} and set(flags.values()) == {quality.WARM_UP}
assert bus.commands == [(0x69, 0x0104), (0x69, 0x0021)], bus.commands
values, flags = read(driver)
assert values == {"pm1": 43, "pm2_5": 46, "pm4": 46, "pm10": 46, "relative_humidity": 573, "temperature": 245,
                  "voc_index": 980, "nox_index": 10}, values
""")  # fmt: skip


def test_sen55_not_ready_gives_nothing_and_reads_no_old_values(micropython):
    passes(micropython, """
bus, driver = air(ready=crc_words(bytes(2)))
values, flags = read(driver)
assert set(values.values()) == {None} and (0x69, 0x03C4) not in bus.commands
""")  # fmt: skip


def test_sen55_without_new_data_for_20_s_is_an_error(micropython):
    passes(micropython, """
bus, driver = air(ready=crc_words(bytes(2)))
read(driver, 20)
expect(SensorError, "got none for 21 s", read, driver)
""")  # fmt: skip


def test_sen55_unknown_codes_are_missing_and_a_fault_only_after_warm_up(micropython):
    passes(micropython, """
bus, driver = air(crc_words(struct.pack(">4H4h", *([0xFFFF] * 4 + [0x7FFF] * 4))))
values, flags = read(driver)
assert set(values.values()) == {None} and set(flags.values()) == {quality.WARM_UP}
values, flags = read(driver, 30)
assert set(values.values()) == {None} and set(flags.values()) == {quality.FAULT}
""")  # fmt: skip


def test_sen55_signed_words_keep_their_sign(micropython):
    passes(micropython, """
bus, driver = air(crc_words(struct.pack(">4H4h", 1, 2, 3, 4, 9990, -2049, 0, -1)))
values, flags = read(driver)
assert values["temperature"] == -102 and values["nox_index"] == -1 and values["relative_humidity"] == 999, values
""")  # fmt: skip


def test_sen55_saturated_unit_is_out_of_range_not_6553(micropython):
    passes(micropython, """
bus, driver = air(crc_words(struct.pack(">4H4h", 0xFFFE, 10001, 1, 1, 5000, 4000, 1000, 10)))
values, flags = read(driver)
assert values["pm1"] is None and flags["pm1"] & quality.OUT_OF_RANGE
assert values["pm2_5"] == 10001 and flags["pm2_5"] & quality.OUT_OF_RANGE and not flags["pm4"] & quality.OUT_OF_RANGE
""")  # fmt: skip


def test_sen55_status_bits_flag_the_inputs_they_concern(micropython):
    passes(micropython, """
for bit, named in ((4, "pm1"), (5, "pm10"), (6, "temperature"), (7, "voc_index"), (21, "pm4")):
    bus, driver = air(status=crc_words(struct.pack(">I", 1 << bit)))
    values, flags = read(driver)
    assert flags[named] & quality.FAULT and values[named] is not None, (bit, flags)
    assert sum(1 for f in flags.values() if f & quality.FAULT) in (2, 4), flags
""")  # fmt: skip


def test_sen55_fan_cleaning_makes_dust_missing_and_leaves_the_rest(micropython):
    passes(micropython, """
bus, driver = air(status=crc_words(struct.pack(">I", 1 << 19)))
values, flags = read(driver)
assert values["pm2_5"] is None and values["temperature"] == 245
""")  # fmt: skip


def test_sen55_wrong_crc_is_an_error_that_names_the_word(micropython):
    passes(micropython, """
bus, driver = air(CAPTURED[:4] + b"\\x2f" + CAPTURED[5:])
expect(SensorError, "word 1: expected CRC", read, driver)
""")  # fmt: skip


def test_sen55_without_acknowledge_is_an_oserror(micropython):
    passes(micropython, """
bus, driver = sensor("sen55", {})
expect(OSError, "19", read, driver)
""")  # fmt: skip


def test_dnms_levels_are_rounded_to_tenths(micropython):
    passes(micropython, """
bus, driver = noise(47.26, 44.0, 61.04)
asyncio.run(driver.start())
assert bus.commands == [(0x55, 0x0001), (0x55, 0x0003)]
values, flags = read(driver, 2)
assert values == {"laeq": 473, "lamax": 610} and flags == {"laeq": 0, "lamax": 0}, (values, flags)
""")  # fmt: skip


def test_dnms_first_interval_is_warm_up(micropython):
    passes(micropython, """
bus, driver = noise(47.26, 44.0, 61.04)
values, flags = read(driver)
assert values == {"laeq": None, "lamax": None} and flags["laeq"] == quality.WARM_UP
""")  # fmt: skip


def test_dnms_impossible_floats_are_faults(micropython):
    passes(micropython, """
for level in (float("nan"), float("inf"), -float("inf"), 0.0, 1e30):
    bus, driver = noise(level, 40.0, level)
    values, flags = read(driver, 2)
    assert values == {"laeq": None, "lamax": None} and flags["laeq"] == quality.FAULT, (level, values, flags)
""")  # fmt: skip


def test_dnms_outside_the_microphone_keeps_value_and_flag(micropython):
    passes(micropython, """
bus, driver = noise(34.9, 30.0, 117.0)
values, flags = read(driver, 2)
assert values == {"laeq": 349, "lamax": 1170} and set(flags.values()) == {quality.OUT_OF_RANGE}
""")  # fmt: skip


def test_dnms_never_ready_is_an_error(micropython):
    passes(micropython, """
bus, driver = noise(50.0, 50.0, 50.0, ready=crc_words(bytes(2)))
expect(SensorError, "expected levels within 40 ms", read, driver)
""")  # fmt: skip


def test_pulse_counter_counts_modulo_the_frame(micropython):
    passes(micropython, """
class Stub:
    def __init__(self, n): self.n = n
    def value(self): return self.n
class Gate:
    def counter(self, pin): return Stub({4: 17, 5: (1 << 29) + 3}[pin])
driver = open_driver({"driver": "pulse_counter", "in_pin": 4, "out_pin": 5}, Gate())
values, flags = read(driver)
assert values == {"footfall_in": 17, "footfall_out": 3}
""")  # fmt: skip


def test_open_driver_unknown_name_says_which_exist(micropython):
    passes(micropython, "expect(ValueError, 'expected a driver of sen55, sen66', open_driver, {'driver': 'x'}, None)")


def test_scaled_rounds_half_up_also_below_zero(micropython):
    passes(micropython, "assert [scaled(v, 100, 10) for v in (2449, 2445, -2449, -2445)] == [245, 245, -245, -244]")
