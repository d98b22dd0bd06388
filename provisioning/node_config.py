"""What a node finds in its file system besides the app: `node.json` and its identity as DER files.

The form of node.json is firmware/README.md's; `firmware/config.py` checks it at every start.
"""

import json
from dataclasses import dataclass, field

from hardware.design import Design
from hardware.node_document import bus_rows, sensor_rows


@dataclass(frozen=True)
class Network:
    """How nodes reach the manager: rows of "brokers" (host, port, server_name), Wi-Fi, and time servers.

    `timing` overrides record_s, frame_s, frame_records and resend_s.
    """

    brokers: tuple[dict[str, object], ...]
    ssid: str
    password: str = field(repr=False)
    time_servers: tuple[str, ...] = ()
    timing: dict[str, int] = field(default_factory=dict)


def document(node: str, design: Design, network: Network, anchors: int, now_s: int) -> bytes:
    """Return node.json; `anchors` trust anchors lie beside it, 0 for a broker that asks for no certificate."""
    tls = {"anchors": anchor_names(anchors), "certificate": "certificate.der", "key": "key.der"} if anchors else None
    content = {
        "node": node,
        "board": design.board.name,
        "brokers": list(network.brokers),
        "tls": tls,
        "wifi": {"ssid": network.ssid, "password": network.password},
        "sensors": sensor_rows(design),
        "buses": bus_rows(design),
        "ntp": list(network.time_servers),
        "provisioned": now_s,
        **network.timing,
    }
    return json.dumps(content).encode()


def anchor_names(count: int) -> list[str]:
    """Return the file names of trust anchors: one file each (a second certificate in one file would be ignored)."""
    return [f"anchor{index or ''}.der" for index in range(count)]


def identity_files(key: bytes, certificate: bytes, anchors: list[bytes]) -> dict[str, bytes]:
    """Return the files of an identity by name, the certificate last: with it the identity is complete."""
    named = dict(zip(anchor_names(len(anchors)), anchors, strict=True))
    return {"key.der": key, **named, "certificate.der": certificate}
