"""The directory of a virtual node: what provisioning writes on a device, and what hangs on its virtual pins.

node.json                              as on a device: id, brokers, trust, sensors and buses of its design, timing
anchor.der certificate.der key.der     as on a device; the key is 0600
orders.keys releases.keys              as on a device: who may sign orders and releases, see `identities.order_keys`
virtual.json                           read only by firmware.virtual: the design's sensors as models, and which part of
                                       the traces this place replays
"""

import json
import zlib
from pathlib import Path

from device_manager.errors import UsageError
from device_manager.identities import Authority
from device_manager.identities.files import make_private_directory, write_private
from device_manager.identities.order_keys import OrderKeys, ReleaseKeys
from device_manager.settings import BrokerSettings, Timing
from hardware.catalog import designs
from hardware.design import Design
from hardware.node_document import bus_rows, sensor_rows

TRACES_S = 7 * 86_400  # the longest trace of the weather; shorter ones go in circles
HEAP_KB, HEAP_PSRAM_KB = 256, 512
"""An ESP32's heap beside Wi-Fi and TLS, without and with PSRAM (of which this is a small part): an object of the unix
port is twice as big, and it holds the models of the sensors too."""
_PULSES = {"in": "footfall_in", "out": "footfall_out"}


def heap_of(directory: Path) -> str:
    """Return the heap of a virtual node as MicroPython takes it: "256k"."""
    document = json.loads((directory / "virtual.json").read_text("utf-8"))
    return f"{document.get('heap_kb', HEAP_KB)}k"


def find_design(name: str) -> Design:
    """Return a node design of the hardware catalogue; UsageError names those that exist."""
    known = designs()
    if name not in known:
        todo = "see `citynode hardware check --all`"
        raise UsageError(expected=f"a design of {', '.join(known)}", got=name, todo=todo)
    return known[name]


def write_node(
    directory: Path,
    node: str,
    design: Design,
    broker: BrokerSettings,
    authority: Authority,
    timing: Timing,
    now_s: float,
) -> None:
    """Write the directory of a virtual node, with a new certificate when the broker asks for one."""
    make_private_directory(directory)
    tls: dict[str, object] | None = None
    if broker.tls:
        identity = authority.issue_node(node, now_s)
        write_private(directory / "key.der", identity.key_der())
        (directory / "certificate.der").write_bytes(identity.certificate_der())
        anchors = {f"anchor-{i}.der" if i else "anchor.der": der for i, der in enumerate(authority.anchors_der())}
        for name, der in anchors.items():
            (directory / name).write_bytes(der)
        for keys in (OrderKeys(authority.root_file.parent), ReleaseKeys(authority.root_file.parent)):
            write_private(directory / keys.public_file.name, keys.public())
        tls = {"anchors": list(anchors), "certificate": "certificate.der", "key": "key.der"}
    _write_json(directory / "node.json", node_document(node, design, broker, tls, timing))
    _write_json(directory / "virtual.json", virtual_document(node, design))


def node_document(
    node: str, design: Design, broker: BrokerSettings, tls: dict[str, object] | None, timing: Timing
) -> dict[str, object]:
    """Return node.json."""
    where = {"host": broker.connect_host, "port": broker.port, "server_name": broker.server_name}
    return {
        "node": node,
        "board": design.board.name,
        "brokers": [where],
        "tls": tls,
        "wifi": {"ssid": "citynode", "password": "virtual"},
        "sensors": sensor_rows(design),
        "buses": bus_rows(design),
        **vars(timing),
    }


def virtual_document(node: str, design: Design) -> dict[str, object]:
    """Return virtual.json; the node's id decides where in the traces it starts, so that no two places look alike."""
    seed = zlib.crc32(node.encode())
    heap_kb = HEAP_PSRAM_KB if design.board.psram_bytes else HEAP_KB
    return {"seed": seed % 10_000, "offset_s": seed % TRACES_S, "heap_kb": heap_kb, **wiring(design)}


def wiring(design: Design) -> dict[str, dict[str, object]]:
    """Return what hangs where on the virtual board: models by address, port, unit and pin (firmware/README.md)."""
    i2c: dict[str, dict[str, str]] = {}
    found: dict[str, dict[str, object]] = {"i2c": {}, "uart": {}, "i2s": {}, "pins": {}}
    for mounted in design.sensors:
        bus, model = mounted.bus, mounted.sensor.driver
        if bus is None:
            found["pins"].update({str(pin): _PULSES[signal] for signal, pin in mounted.pins.items()})
        elif bus.kind == "i2c":
            i2c.setdefault(str(bus.controller), {})[str(mounted.address)] = model
        else:
            found[bus.kind][str(bus.controller)] = model
    found["i2c"].update(i2c)
    return found


def _write_json(path: Path, document: dict[str, object]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
