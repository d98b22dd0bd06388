"""The directory of a virtual node: what provisioning writes on a device, and what hangs on its virtual pins.

node.json                              as on a device: id, brokers, trust, sensors, timing
anchor.der certificate.der key.der     as on a device; the key is 0600
virtual.json                           read only by firmware.virtual: which traces this place replays
"""

import json
import zlib
from pathlib import Path

from device_manager.identities import Authority
from device_manager.identities.files import make_private_directory, write_private
from device_manager.settings import BrokerSettings, Timing

TRACES_S = 7 * 86_400  # the longest trace of the weather; shorter ones go in circles
SENSORS = (
    {"name": "air", "driver": "sen55", "bus": 0},
    {"name": "noise", "driver": "dnms", "bus": 0},
    {"name": "gate", "driver": "pulse_counter", "in_pin": 4, "out_pin": 5},
)


def write_node(
    directory: Path, node: str, broker: BrokerSettings, authority: Authority, timing: Timing, now_s: float
) -> None:
    """Write the directory of a virtual node, with a new certificate when the broker asks for one."""
    make_private_directory(directory)
    tls: dict[str, object] | None = None
    if broker.tls:
        identity = authority.issue_node(node, now_s)
        write_private(directory / "key.der", identity.key_der())
        (directory / "certificate.der").write_bytes(identity.certificate_der())
        (directory / "anchor.der").write_bytes(authority.anchor_der())
        tls = {"anchors": ["anchor.der"], "certificate": "certificate.der", "key": "key.der"}
    _write_json(directory / "node.json", node_document(node, broker, tls, timing))
    _write_json(directory / "virtual.json", virtual_document(node))


def node_document(
    node: str, broker: BrokerSettings, tls: dict[str, object] | None, timing: Timing
) -> dict[str, object]:
    """Return node.json."""
    where = {"host": broker.connect_host, "port": broker.port, "server_name": broker.server_name}
    return {
        "node": node,
        "brokers": [where],
        "tls": tls,
        "wifi": {"ssid": "citynode", "password": "virtual"},
        "sensors": list(SENSORS),
        **vars(timing),
    }


def virtual_document(node: str) -> dict[str, object]:
    """Return virtual.json; the node's id decides where in the traces it starts, so that no two places look alike."""
    seed = zlib.crc32(node.encode())
    return {"seed": seed % 10_000, "offset_s": seed % TRACES_S}


def _write_json(path: Path, document: dict[str, object]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
