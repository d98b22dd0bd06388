"""The labelled faults of `fault_detection`: what is done to which node, and which alerts may name it.

Faults of sensing are those that the sensors' models know (`firmware.virtual.models`): one node carries several sensors,
each with a fault of its own, because an alert names the sensor. Faults of delivery are done to the node's process,
flash, network or identity from outside. What a virtual node cannot have (a radio that fades, a supply that sinks) is
said by a speaker, which is no node but the protocol with a node's certificate.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

from device_manager.settings import Timing
from tests.benchmarks.fault_list import offered
from tests.benchmarks.replay import Replay, change
from tests.fleet.proxy import FAIR, Weather

FAILS = {"sensor-faults", "sensor-flagged"}
PASSES = FAILS | {"sensor-disturbed", "sensor-restarted"}
SILENT = {"node-silent"}
BUSES = [{"bus": 0, "scl": 9, "sda": 8}, {"bus": 1, "scl": 11, "sda": 10}]
USUAL, SECONDS, OFTEN = Timing(record_s=10, frame_s=30), Timing(record_s=5, frame_s=20), Timing(1, 1)
"""How often nodes measure and send: faster than the usual 60 s and 300 s, which would only add to the times."""


class Case(NamedTuple):
    """A fault: its name, the node and the sensor ("" for the node itself), what begins it, and the rules for it."""

    name: str
    node: str
    sensor: str
    begin: Callable[[Replay, str], None]
    rules: set[str]


class Rig(NamedTuple):
    """A node: its sensors, how often it sends, whether a network that fails lies between, more of virtual.json."""

    node: str
    sensors: tuple[str, ...]
    timing: Timing = USUAL
    proxied: bool = False
    wired: dict[str, Any] = {}


I2C: dict[str, tuple[int, int]] = {
    "sen66": (0, 107), "scd41": (1, 98), "sen55": (0, 105), "sps30": (1, 105), "sht45": (0, 68), "bme280": (1, 118),
    "dnms": (0, 85), "vl53l1x": (1, 41),
}  # fmt: skip
"""Bus and address."""
UART: dict[str, tuple[int, int, int]] = {"sds011": (2, 15, 16), "pms5003": (1, 17, 18), "ld2450": (1, 17, 18)}
"""Port, tx, rx."""
MORE: dict[str, dict[str, Any]] = {
    "ld2450": {"line": [0, 4000, 0, 1000]},
    "microphone": {"model": "ics43434", "bus": 0, "sck": 5, "ws": 6, "sd": 7},
}


def documents(rig: Rig) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a rig changes in node.json and in virtual.json; a sensor is named after its model."""
    rows, wired = [], {"i2c": {}, "uart": {}, "i2s": {}, "pins": {}, "heap_kb": 1024, **rig.wired}
    for name in rig.sensors:
        row = {"name": name, "driver": name, **MORE.get(name, {})}
        if name in I2C:
            bus, address = I2C[name]
            wired["i2c"].setdefault(str(bus), {})[str(address)] = name
            row["bus"] = bus
        elif name in UART:
            row["uart"], row["tx"], row["rx"] = UART[name]
            wired["uart"][str(row["uart"])] = name
        else:
            wired["i2s"]["0"] = name
        rows.append(row)
    return {"sensors": rows, "buses": BUSES}, wired


BUS = ("nack", "timeout", "stuck", "bad_crc")
STREAM = ("silent", "frozen", "garbage", "half")
Faults = dict[str, tuple[str, ...]]
AIR: Faults = {
    "sen66": (*BUS, "frozen", "still", "fan", "brown_out"),
    "scd41": (*BUS, "frozen", "still", "brown_out"),
    "sen55": (*BUS, "frozen", "still", "fan", "brown_out"),
    "sps30": (*BUS, "frozen", "still", "fan", "brown_out"),
    "sht45": (*BUS, "frozen", "still"),
    "bme280": ("nack", "timeout", "stuck", "frozen", "still", "skipped"),
    "dnms": (*BUS, "frozen"),
    "sds011": (*STREAM, "bad_sum", "fan", "brown_out"),
    "pms5003": (*STREAM, "bad_sum", "fan", "brown_out"),
}
STREET: Faults = {
    "ld2450": (*STREAM, "refuse"),
    "vl53l1x": ("nack", "timeout", "stuck", "frozen", "silent", "broken"),
    "microphone": ("nack", "frozen"),
}
SETTLED: Faults = {"microphone": ("brown_out",)}
"""Faults of sensors by fleet; the last show as a sensor that settles anew, which counts once a node ran three minutes.
`fault_list` says what there is; a test compares."""
COUNTED = {"pulse_counter": ("frozen",), "vl53l1x": ("blind",)}
"""What shows over hours only, because a gate that nobody passes looks the same (and a dark floor has no echo either):
`counter_replay` has it as "footfall stuck"."""
HARMLESS = {"sht45": ("brown_out",), "bme280": ("brown_out",), "dnms": ("brown_out",)}
"""Nothing to find: a dip between two orders loses nothing of the first two, and less than a second of the third. One
that falls into a measurement may be told."""
SHORT_LIVED = ("stuck", "brown_out")  # they heal by themselves, and are seen all the same
MOST_SENSORS = 6  # of a rig: more channels than real nodes have cost time and show nothing


DIPS = "dips"


class Bench(NamedTuple):
    """Rigs, and the cases on them."""

    rigs: list[Rig]
    cases: list[Case]


def of_sensors(name: str, faults: Faults, timing: Timing) -> Bench:
    """Spread faults over as few nodes as may be: a sensor once on each, and whose bus is held has it for itself."""
    filled: list[dict[str, str]] = []
    for sensor, mine in faults.items():
        for fault in mine:
            fitting = (rig for rig in filled if _fits(rig, sensor, fault))
            rig = next(fitting, None)
            if rig is None:
                filled.append(rig := {})
            rig[sensor] = fault
    rigs = [Rig(f"{name}-{at}", tuple(rig), timing) for at, rig in enumerate(filled)]
    cases = [
        Case(f"{sensor} {fault}", f"{name}-{at}", sensor, _sensor(sensor, fault), _rules(fault))
        for at, rig in enumerate(filled)
        for sensor, fault in rig.items()
    ]
    return Bench(rigs, cases)


def _fits(rig: dict[str, str], sensor: str, fault: str) -> bool:
    if sensor in rig or len(rig) >= MOST_SENSORS or {"pms5003", "ld2450"} <= {sensor, *rig}:
        return False
    beside = [other for other in rig if sensor in I2C and other in I2C and I2C[other][0] == I2C[sensor][0]]
    return not any("stuck" in (fault, rig[other]) for other in beside)


def _rules(fault: str) -> set[str]:
    return PASSES if fault in SHORT_LIVED else FAILS


def _sensor(part: str, fault: str) -> Callable[[Replay, str], None]:
    def begin(replay: Replay, node: str) -> None:
        path = replay.nodes[node].directory / "virtual.json"
        change(path, {"faults": {**replay.faults.setdefault(node, {}), part: fault}})
        replay.faults[node][part] = fault
        if fault == "refuse":  # orders are given at the start only
            replay.later(10, lambda: _short_cut(replay, node))

    return begin


def missing() -> set[tuple[str, str]]:
    """Return (model, fault) of all that there are and that are not replayed, or replayed and not there."""
    replayed = (AIR, STREET, SETTLED, COUNTED, HARMLESS)
    mine = {(part, fault) for faults in replayed for part, names in faults.items() for fault in names}
    return mine ^ {(part, fault) for part, faults in offered().items() for fault in faults}


def harmless(replay: Replay, node: str) -> None:
    """All of HARMLESS, which nobody is to be told of."""
    for part, faults in HARMLESS.items():
        for fault in faults:
            _sensor(part, fault)(replay, node)


def _network_lost(replay: Replay, node: str) -> None:
    replay.weather(node, Weather(swallow=True, refuse=True))


def _network_stalls(replay: Replay, node: str) -> None:
    replay.weather(node, Weather(stall=True))


def _other_wifi(replay: Replay, node: str) -> None:
    """The access point was exchanged, and has another name."""
    replay.wifi(node, there=False)
    replay.weather(node, FAIR)
    change(replay.nodes[node].directory / "virtual.json", {"wifi": {"ssid": "new", "password": "new"}})


def _no_memory_for_tls(replay: Replay, node: str) -> None:
    """Found when it connects again."""
    _wifi_lost(replay, node)
    change(replay.nodes[node].directory / "virtual.json", {"idf_largest": 1024})
    replay.later(30, lambda: replay.wifi(node, there=True))


def _wifi_lost(replay: Replay, node: str) -> None:
    replay.wifi(node, there=False)


def _power_cut(replay: Replay, node: str) -> None:
    replay.nodes[node].kill()


def _hang(replay: Replay, node: str) -> None:
    process = replay.nodes[node].process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    replay.clock.hang(node)


def _short_cut(replay: Replay, node: str) -> None:
    replay.nodes[node].kill()
    replay.start(replay.nodes[node])


def _brown_outs(replay: Replay, node: str) -> None:
    """Three in a row: MicroPython's ESP32 port gives the cause of a brown-out as a power-on."""
    for at in range(3):
        replay.later(20 * at, lambda: _short_cut(replay, node))


def _watchdog(replay: Replay, node: str) -> None:
    replay.nodes[node].kill()
    (replay.nodes[node].directory / "reset.cause").write_text("3", "ascii")
    replay.start(replay.nodes[node])


def _flash_full(replay: Replay, node: str) -> None:
    """No network until the smallest outbox has overflowed, then back."""
    _wifi_lost(replay, node)
    replay.later(500, lambda: replay.wifi(node, there=True))


def _flash_damaged(replay: Replay, node: str) -> None:
    """Records that nobody has fetched yet lose their bits while the node is off."""
    _wifi_lost(replay, node)

    def damage() -> None:
        replay.nodes[node].kill()
        flash = replay.nodes[node].directory / "outbox.flash"
        flash.write_bytes(_rotten(flash.read_bytes()))
        replay.wifi(node, there=True)
        replay.start(replay.nodes[node])

    replay.later(200, damage)


def _rotten(flash: bytes) -> bytes:
    """Return flash in which every 64th programmed byte is 0, the heads of its blocks excepted."""
    found = bytearray(flash)
    for at in range(0, len(found), 64):
        if at % 4096 >= 128 and found[at] != 0xFF:
            found[at] = 0
    return bytes(found)


def _clone(replay: Replay, node: str) -> None:
    """A second device with the same identity, its own outbox and sensors."""
    directory = replay.nodes[node].directory
    twin = directory.with_name(f"{node}-stolen")
    shutil.copytree(directory, twin, symlinks=True, ignore=shutil.ignore_patterns("outbox.flash", "rtc.memory", "c"))
    replay.start(replay.switch_on(twin))


def _heated(replay: Replay, node: str) -> None:
    change(replay.nodes[node].directory / "virtual.json", {"chip_c": 103})


OF_DELIVERY = [
    (Rig("net-lost", ("sht45",), proxied=True), "network lost, connection stands", _network_lost, SILENT),
    (Rig("net-stalls", ("sht45",), proxied=True), "network stalls, connection stands", _network_stalls, SILENT),
    (Rig("other-wifi", ("sht45",), proxied=True), "Wi-Fi has another name", _other_wifi, SILENT),
    (Rig("no-memory", ("sht45",), proxied=True), "no memory for TLS", _no_memory_for_tls, SILENT),
    (Rig("wifi-lost", ("sht45",), proxied=True), "Wi-Fi lost", _wifi_lost, SILENT),
    (Rig("power-cut", ("sht45",)), "power cut, node lost", _power_cut, SILENT),
    (Rig("hanging", ("sht45",)), "node hangs", _hang, SILENT),
    (Rig("short-cut", ("sht45",)), "short power cut", _short_cut, {"node-power-cuts"}),
    (Rig("brown-out", ("sht45",)), "brown-out resets", _brown_outs, {"node-power-cuts"}),
    (Rig("watchdog", ("sht45",)), "reset by watchdog", _watchdog, {"node-crashed"}),
    (Rig("full-flash", ("sht45",), OFTEN, proxied=True, wired={"flash_bytes": 4 * 4096}), "full flash", _flash_full,
     {"node-lost-records"}),
    (Rig("bad-flash", ("sht45",), SECONDS, proxied=True), "damaged flash", _flash_damaged,
     {"node-lost-records", "node-gap"}),
    (Rig("clone", ("sht45",)), "clone, the same identity twice", _clone, {"node-clone"}),
    (Rig("hot", ("sht45",)), "chip too hot", _heated, {"node-hot"}),
]  # fmt: skip


UNHARMED = [Rig(DIPS, tuple(HARMLESS)), Rig("well", ("sht45", "sen66", "dnms"))]
"""Nodes that no alert is to name; what DIPS says after its dips is not judged."""


def of_delivery() -> list[Case]:
    """Return the cases on the nodes of OF_DELIVERY."""
    return [Case(name, rig.node, "", begin, rules) for rig, name, begin, rules in OF_DELIVERY]


def _says(**fields: Any) -> Callable[[Replay, str], None]:
    return lambda replay, node: replay.speakers[node].now_say(**fields)


def _garbage(replay: Replay, node: str) -> None:
    replay.speakers[node].spoil_frames()


SPOKEN = [
    ("clock two minutes wrong", _says(clock_s=120), {"node-clock"}),
    ("clock not set", _says(time=None), {"node-clock-unset"}),
    ("short of memory", _says(heap_floor=5000), {"node-memory"}),
    ("weak signal", _says(rssi=-91), {"node-signal"}),
    ("low supply voltage", _says(supply_mv=2850), {"node-supply"}),
    ("frames that cannot be used", _garbage, {"node-rejected"}),
]


def of_speakers() -> list[Case]:
    """Return the cases of speakers, a speaker each."""
    return [Case(name, f"spoken-{at}", "", begin, rules) for at, (name, begin, rules) in enumerate(SPOKEN)]


def speaker_names() -> list[str]:
    """Return the ids of all speakers."""
    return [f"spoken-{at}" for at in range(len(SPOKEN))]
