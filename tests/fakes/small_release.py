"""A small signed update in a folder, as a node in slot a would get it: files that code on MicroPython can read."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from device_manager.identities import order_keys
from device_manager.identities.order_keys import ReleaseKeys
from device_manager.releases import bundles
from device_manager.releases.tree import Tree, build
from firmware.wire import releases

OLD = {
    "__init__.mpy": b"version 1 of the package" * 9,
    "app.mpy": bytes(range(256)) * 7,
    "wire/cbor.mpy": b"the same in both" * 40,
    "link/client.mpy": b"goes away",
}
NEW = {
    "__init__.mpy": b"version 2 of the package" * 9,
    "app.mpy": bytes(range(256)) * 4 + b"one line changed" + bytes(range(256)) * 3,
    "wire/cbor.mpy": OLD["wire/cbor.mpy"],
    "wire/new.mpy": b"was not there before" * 20,
}
EXPIRES_S = 1_900_000_000


class SmallRelease:
    """Two trees and what is signed about the second; `fields` of the root may be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = ReleaseKeys(folder, lambda: None)
        self.old, self.new = build(OLD), build(NEW)

    def root(self, **changes: Any) -> bytes:
        """Return a signed root of release 2."""
        fields = {"number": 2, "name": "2.0.0", "family": "x64", "boards": ["board-1"], "interpreter": (0x119, 0x200)}
        more = {"tree": self.new.top, "needs": 0, "notes": "", "image": None}
        return self.keys.sign(releases.pack_root({**fields, **more, **changes}))

    def offer(self, root: bytes, expires_s: int = EXPIRES_S) -> bytes:
        """Return a signed offer of a signed root."""
        from device_manager.releases.shelf import payload_of

        return self.keys.sign(releases.pack_offer(sha256(payload_of(root)).digest(), expires_s))

    def by_a_third_key(self, signed: bytes) -> bytes:
        """Return the payload of a signed message under a key that no node trusts."""
        from device_manager.releases.shelf import payload_of

        return order_keys.sign(rsa.generate_private_key(65537, 3072), payload_of(signed))

    def write(self) -> dict[str, bytes]:
        """Write old slot, keys, signed messages and bundle; return what was signed."""
        root = self.root()
        signed = {"root": root, "offer": self.offer(root), "bundle": bundles.make(self.new, self.old)}
        signed["whole"] = bundles.make(self.new)
        for name, content in signed.items():
            (self.folder / name).write_bytes(content)
        (self.folder / "releases.keys").write_bytes(self.keys.public())
        write_slot(self.folder / "a" / "firmware", self.old)
        about = {"old": self.old.top.hex(), "new": self.new.top.hex()}
        (self.folder / "about.json").write_text(json.dumps(about))
        return signed


def write_slot(package: Path, tree: Tree) -> None:
    """Write a tree as a slot holds it, with the text of each directory."""
    package.mkdir(parents=True)
    (package / ".dir").write_bytes(tree.objects[tree.top])
    for path, (_, is_directory, _, sum_) in tree.walk():
        if is_directory:
            (package / path).mkdir()
        target = package / path / ".dir" if is_directory else package / path
        target.write_bytes(tree.objects[sum_])
