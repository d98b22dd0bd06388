"""The labelled faults of `fault_detection`: what is done to which node, and which alerts may name it.

Faults of sensing are those that the sensors' models know (`firmware.virtual.models`): one node carries several sensors,
each with a fault of its own, because an alert names the sensor. Faults of delivery are done to the node's process,
flash, network or identity from outside. What a virtual node cannot have (a radio that fades, a supply that sinks) is
said by a speaker, which is no node but the protocol with a node's certificate.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from device_manager.settings import Timing
from tests.benchmarks.replay import Replay, change
from tests.fleet.proxy import Weather

FAILS = {"sensor-faults", "sensor-flagged"}
PASSES = FAILS | {"sensor-disturbed", "sensor-restarted"}
SILENT = {"node-silent"}
BUSES = [{"bus": 0, "scl": 9, "sda": 8}, {"bus": 1, "scl": 11, "sda": 10}]
MINUTES, SECONDS, OFTEN = Timing(record_s=30, frame_s=120), Timing(record_s=5, frame_s=20), Timing(1, 1)
"""How often nodes measure and send: faster than the usual 60 s and 300 s, which would only add to the times."""


class Case(NamedTuple):
    """A fault: its name, the node and the sensor ("" for the node itself), what begins it, and the rules for it."""

    name: str
    node: str
    sensor: str
    begin: Callable[[Replay, str], None]
    rules: set[str]


class Rig(NamedTuple):
    """A node: sensors as rows of node.json, and how they hang on the virtual board; `seconds` is how often it sends."""

    node: str
    sensors: tuple[str, ...]
    timing: Timing = MINUTES
    proxied: bool = False
    wired: dict[str, Any] = {}


ROWS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "sen66": ({"driver": "sen66", "bus": 0}, {"i2c": {"0": {"107": "sen66"}}}),
    "scd41": ({"driver": "scd41", "bus": 1}, {"i2c": {"1": {"98": "scd41"}}}),
    "sht45": ({"driver": "sht45", "bus": 0}, {"i2c": {"0": {"68": "sht45"}}}),
    "sds011": ({"driver": "sds011", "uart": 2, "tx": 15, "rx": 16}, {"uart": {"2": "sds011"}}),
    "ld2450": ({"driver": "ld2450", "uart": 1, "tx": 17, "rx": 18, "line": [0, 4000, 0, 1000]},
               {"uart": {"1": "ld2450"}}),
    "vl53l1x": ({"driver": "vl53l1x", "bus": 1}, {"i2c": {"1": {"41": "vl53l1x"}}}),
    "microphone": ({"driver": "microphone", "model": "ics43434", "bus": 0, "sck": 5, "ws": 6, "sd": 7},
                   {"i2s": {"0": "microphone"}}),
}  # fmt: skip
"""What a sensor is in node.json and in virtual.json; it is named after its model."""


def documents(rig: Rig) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a rig changes in node.json and in virtual.json."""
    rows = [{"name": name, **ROWS[name][0]} for name in rig.sensors]
    wired: dict[str, Any] = {"i2c": {}, "uart": {}, "i2s": {}, "pins": {}, "heap_kb": 1024, **rig.wired}
    for name in rig.sensors:
        for kind, parts in ROWS[name][1].items():
            for port, part in parts.items():
                known = wired[kind].get(port, {})
                wired[kind][port] = {**known, **part} if isinstance(part, dict) else part
    return {"sensors": rows, "buses": BUSES}, wired


BUS = ("nack", "timeout", "stuck", "bad_crc")
Faults = dict[str, tuple[str, ...]]
FAST: Faults = {
    "sen66": (*BUS, "frozen", "still", "fan", "brown_out"),
    "scd41": (*BUS, "frozen", "still", "brown_out"),
    "sds011": ("silent", "frozen", "garbage", "half", "bad_sum", "fan"),
}
SLOW: Faults = {
    "ld2450": ("silent", "frozen", "garbage", "half"),
    "vl53l1x": ("nack", "timeout", "frozen", "silent", "blind", "broken"),
    "microphone": ("nack", "frozen", "brown_out"),
    "sds011": ("brown_out",),  # silent for 4.5 s, which a node on a fast clock may sleep through
}
"""Faults of sensors by fleet: those whose models take many samples a second cannot run fast."""
SHORT_LIVED = ("stuck", "brown_out")  # they heal by themselves, and are seen all the same


def rigs(faults: Faults, timing: Timing) -> list[Rig]:
    """Return as many nodes as the sensor with most faults needs."""
    return [
        Rig(_rig(faults, at), tuple(name for name, mine in faults.items() if at < len(mine)), timing)
        for at in range(max(map(len, faults.values())))
    ]


def of_sensors(faults: Faults) -> list[Case]:
    """Return the cases on the nodes of `rigs`: the fault number n of each sensor on node n."""
    return [
        Case(f"{name} {fault}", _rig(faults, at), name, _sensor(name, fault), _rules(fault))
        for name, mine in faults.items()
        for at, fault in enumerate(mine)
    ]


def _rig(faults: Faults, at: int) -> str:
    return f"rig-{next(iter(faults))}-{at}"


def _rules(fault: str) -> set[str]:
    return PASSES if fault in SHORT_LIVED else FAILS


def _sensor(part: str, fault: str) -> Callable[[Replay, str], None]:
    def begin(replay: Replay, node: str) -> None:
        path = replay.nodes[node].directory / "virtual.json"
        change(path, {"faults": {**replay.faults.setdefault(node, {}), part: fault}})
        replay.faults[node][part] = fault

    return begin


def _network_lost(replay: Replay, node: str) -> None:
    replay.weather(node, Weather(swallow=True, refuse=True))


def _wifi_lost(replay: Replay, node: str) -> None:
    replay.wifi(node, there=False)


def _power_cut(replay: Replay, node: str) -> None:
    replay.nodes[node].kill()


def _hang(replay: Replay, node: str) -> None:
    process = replay.nodes[node].process
    assert process is not None
    process.send_signal(signal.SIGSTOP)


def _short_cut(replay: Replay, node: str) -> None:
    replay.nodes[node].kill()
    replay.nodes[node].start()


def _brown_outs(replay: Replay, node: str) -> None:
    """Three in a row: MicroPython's ESP32 port gives the cause of a brown-out as a power-on."""
    for _ in range(3):
        _short_cut(replay, node)
        time.sleep(1)


def _watchdog(replay: Replay, node: str) -> None:
    replay.nodes[node].kill()
    (replay.nodes[node].directory / "reset.cause").write_text("3", "ascii")
    replay.nodes[node].start()


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
        replay.nodes[node].start()

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
    replay.switch_on(twin).start()


def _heated(replay: Replay, node: str) -> None:
    change(replay.nodes[node].directory / "virtual.json", {"chip_c": 103})


OF_DELIVERY = [
    (Rig("net-lost", ("sht45",), proxied=True), "network lost, connection stands", _network_lost, SILENT),
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
