"""Every driver under every fault that its model has: no exception escapes, no wrong number passes as good, and recovery
is automatic. On real MicroPython, against the models at byte level, beside a healthy twin (on_node/driver_faults.py).

The counters of people and the microphone have their own tests of the same property (test_footfall_drivers,
test_sound_driver): what is good there is a count and a level, not a number beside a twin's.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FAKES = HERE.parent / "fakes"

# driver: (row of node.json, wiring of virtual.json, seconds for which a frozen value cannot be told from a calm hour)
PARTS: dict[str, tuple[dict[str, object], dict[str, object], int]] = {
    "sen55": ({"bus": 0}, {"i2c": {"0": {"105": "sen55"}}}, 62),
    "sen66": ({"bus": 0}, {"i2c": {"0": {"107": "sen66"}}}, 62),
    "sps30": ({"bus": 0}, {"i2c": {"0": {"105": "sps30"}}}, 62),
    "scd41": ({"bus": 0}, {"i2c": {"0": {"98": "scd41"}}}, 66),
    "sht45": ({"bus": 0}, {"i2c": {"0": {"68": "sht45"}}}, 32),
    "bme280": ({"bus": 0}, {"i2c": {"0": {"118": "bme280"}}}, 32),
    "dnms": ({"bus": 0}, {"i2c": {"0": {"85": "dnms"}}}, 2),
    "pms5003": ({"uart": 1}, {"uart": {"1": "pms5003"}}, 602),
    "sds011": ({"uart": 1}, {"uart": {"1": "sds011"}}, 602),
}
BUS = ("nack", "timeout", "stuck", "bad_crc")
FAULTS = {
    "sen55": (*BUS, "frozen", "still", "fan", "brown_out"),
    "sen66": (*BUS, "frozen", "still", "fan", "brown_out"),
    "sps30": (*BUS, "frozen", "still", "fan", "brown_out"),
    "scd41": (*BUS, "frozen", "still", "brown_out"),
    "sht45": (*BUS, "frozen", "brown_out"),
    "bme280": ("nack", "timeout", "stuck", "frozen", "skipped", "brown_out"),
    "dnms": (*BUS, "frozen", "brown_out"),
    "pms5003": ("silent", "frozen", "garbage", "half", "bad_sum", "fan", "brown_out"),
    "sds011": ("silent", "frozen", "garbage", "half", "bad_sum", "fan", "brown_out"),
}
# A bus that is cleared, a supply that comes back, a stream that is found again: over while the fault's name stands.
PASSING = ("stuck", "brown_out", "garbage")
HEARD = {"nack": "19", "timeout": "116", "stuck": "116", "bad_crc": "expected CRC", "silent": "got none"}
CASES = [(driver, fault) for driver, faults in FAULTS.items() for fault in faults]


@pytest.mark.parametrize(("driver", "fault"), CASES, ids=lambda word: word)
def test_driver_under_a_fault_lets_nothing_wrong_pass_and_recovers(micropython, tmp_path, driver, fault):
    row, wiring, calm_s = PARTS[driver]
    hidden_s = calm_s if fault in ("frozen", "still") else 9999 if fault in PASSING else 3
    case = {
        "row": {"driver": driver, **row}, "wiring": wiring, "part": driver, "fault": fault, "hidden_s": hidden_s,
        "heard": HEARD.get(fault, ""), "least_good": 1 if driver == "scd41" else 10,
    }  # fmt: skip
    script = HERE / "on_node" / "driver_faults.py"
    done = micropython(script, json.dumps(case), path=[FAKES], cwd=tmp_path, timeout_s=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_driver_is_here_or_has_its_own_test():
    from firmware.sensing.opening import NAMES

    own = {"microphone", "pulse_counter", "vl53l1x", "ld2450", "pms5003t"}
    assert set(NAMES) == set(PARTS) | own
