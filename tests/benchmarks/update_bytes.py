"""Bytes of an update over MQTT: topics and payloads, both directions, of what node and manager really encode.

The firmware's own sources are changed (a line of one module; the version), built and signed by the release service; the
manager's courier and the node's `fetch` speak to each other without a network. Reports are those of a node that needs a
moment only: rebooting, confirming, succeeded. An update interrupted at 90 % is begun again from what was kept.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from device_manager.adapters.firmware_build import app_files
from device_manager.adapters.release_files import FileShelf
from device_manager.identities.order_keys import ReleaseKeys
from device_manager.releases.courier import Courier
from device_manager.releases.offering import NodeOffer
from device_manager.releases.service import Wanted
from device_manager.shadow import Shadow
from firmware.update.fetch import Fetch
from firmware.wire import messages, releases
from tests.benchmarks.row import Row, at_most
from tests.fakes.releases import Wire, service
from tests.fleet.updating import sources, version

NODE = "kempten-01"
LINE = "        self._reports += 1\n"
CHANGED = "        self._reports += 2\n"
IMAGE_BYTES = 1_600_000  # about a MicroPython image of an ESP32-S3


def run(short: bool) -> list[Row]:
    """Return the bytes of both small updates beside a whole app and an image, and the pieces that are sent twice."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shelf = FileShelf(folder / "releases")
        made = service(shelf, ReleaseKeys(folder, lambda: None), lambda f, root: app_files(folder, f, root))
        base = sources(folder / "1", {"__init__.py": version("1.0.0")})
        line = sources(folder / "2", {"__init__.py": version("1.0.0"), "app.py": lambda t: t.replace(LINE, CHANGED)})
        bump = sources(folder / "3", {"__init__.py": version("1.0.1")})
        for root in (base, line, bump):
            made.build(Wanted(root, {"xtensawin": ["esp32-devkitc", "esp32-s3-devkitc-1"]}), scope=_scope())
        one_line, one_bump = _update(shelf, 2, 1), _update(shelf, 3, 1)
        whole, again = _update(shelf, 1, 0), _interrupted(shelf, 1)
    image = IMAGE_BYTES + IMAGE_BYTES // releases.CHUNK_BYTES * 160
    beside = f"a whole app {whole} bytes, an image of {IMAGE_BYTES} bytes about {image}"
    return [
        at_most("update_bytes, one line of one module", one_line, "bytes", 4096, beside),
        at_most("update_bytes, version bump", one_bump, "bytes", 1536, beside),
        at_most("update_bytes, interrupted at 90 %, sent again", again, "pieces", 2, beside),
    ]


def _scope():  # type: ignore[no-untyped-def]
    from device_manager.fleet import local

    return local()


def _update(shelf: FileShelf, number: int, have: int) -> int:
    """Return the bytes of an update of a node that has release `have`, from the offer to the last report."""
    wire = Wire(NODE)
    courier = _courier(shelf, wire, number)
    courier.step(1e9)
    tree = shelf.load(number).root("xtensawin")["tree"]
    _download(wire, courier, tree, have, Fetch(0, releases.TREE_MAX_BYTES), 1.0)
    for state in (releases.REBOOTING, releases.CONFIRMING, releases.SUCCEEDED):
        wire.up("update", messages.encode("update", {"state": state, "number": number}))
    return wire.bytes


def _interrupted(shelf: FileShelf, number: int) -> int:
    """Return how many pieces more than needed are sent when the node is reset at 90 %."""
    wire = Wire(NODE)
    courier = _courier(shelf, wire, number)
    tree = shelf.load(number).root("xtensawin")["tree"]
    got, total = _download(wire, courier, tree, 0, Fetch(0, releases.TREE_MAX_BYTES), 0.9)
    _download(wire, courier, tree, 0, Fetch(got, releases.TREE_MAX_BYTES), 1.0)
    return wire.pieces - -(-total // releases.CHUNK_BYTES)


def _courier(shelf: FileShelf, wire: Wire, number: int) -> Courier:
    shadow = Shadow(NODE, online=True, family="xtensawin")
    return Courier(shelf, wire.offers(NodeOffer(NODE, number)), wire, lambda names: {NODE: shadow})


def _download(wire: Wire, courier: Courier, tree: bytes, have: int, piece: Fetch, part: float) -> tuple[int, int]:
    """Fetch until so much of it is there; return bytes that are there, and all."""
    wire.chunks.clear()
    while not piece.done and (piece.total < 0 or piece.got < part * piece.total):
        due = piece.due(0)
        while due:
            fields = {"sha256": tree, "offset": due[0], "count": due[1], "from": have}
            wire.up("want", messages.encode("want", fields))
            courier.serve(NODE, fields)
            due = piece.due(0)
        chunk = wire.chunks.pop(0)
        assert piece.take(chunk["offset"], chunk["total"], len(chunk["data"]), 0)
    return piece.got, piece.total
