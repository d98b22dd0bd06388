"""Builds, signs and keeps releases; every call that changes something takes who is acting.

A root is signed when it is built if the key is on this machine; else what must be signed is written out (`to_sign`),
signed elsewhere by `citynode key sign`, and taken in again (`take_signed`). The same holds for offers.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from device_manager.audit import Audit
from device_manager.errors import SetupError, UsageError
from device_manager.releases import bundles, sbom
from device_manager.releases.shelf import Release, ReleaseError, Shelf, payload_of, tree_of
from device_manager.releases.tree import build
from device_manager.scopes import ADMIN, Scope
from firmware.wire import WireError, cose, releases

INTERPRETER = (1 << 8 | 25, 2 << 8)  # MicroPython 1.25 up to, and without, 2.0
OFFER_DAYS = 30
_DAY_S = 86_400


class Keys(Protocol):
    """The two keys that nodes trust; see `identities.order_keys.ReleaseKeys`."""

    def sign(self, payload: bytes, number: int = 1) -> bytes: ...
    def moduli(self) -> list[bytes]: ...
    def file(self, number: int) -> Path: ...


@dataclass(frozen=True)
class Wanted:
    """What is to be built: `root` holds the sources, `boards` which boards each family is for, `needs` the lowest
    number from which it can be reached; `images` are MicroPython images by family."""

    root: Path
    boards: dict[str, list[str]]
    notes: str = ""
    needs: int = 0
    images: dict[str, bytes] = dataclasses.field(default_factory=dict)


@dataclass
class Releases:
    """`compile_(family, root)` returns the files of an app; `compiler()` says in words what did it."""

    shelf: Shelf
    keys: Keys
    audit: Audit
    compile_: Callable[[str, Path], dict[str, bytes]]
    compiler: Callable[[], str]
    clock: Callable[[], float] = time.time

    def build(self, wanted: Wanted, *, scope: Scope) -> Release:
        """Build the next release, sign its roots if the key is here, and offer it for OFFER_DAYS."""
        scope.require(ADMIN, "build a release")
        self.keys.moduli()  # they are made with the first release at the latest
        number, name = self._next_number(), _version(wanted.root)
        payloads: dict[str, bytes] = {}
        trees = {}
        for family, boards in sorted(wanted.boards.items()):
            tree = trees[family] = build(self.compile_(family, wanted.root))
            image = wanted.images.get(family)
            self.shelf.add_objects({**tree.objects, **({sha256(image).digest(): image} if image else {})})
            payloads[family] = _root(number, name, family, boards, tree.top, wanted, image)
        release = Release(number, name, wanted.notes, self.compiler(), payloads=payloads)
        self.shelf.save_sbom(number, sbom.of_firmware(release, trees))
        return self._finish(release, "release.build", scope)

    def again(self, number: int, *, scope: Scope, notes: str = "") -> Release:
        """Sign the trees of an old release under a new number: the way back for a whole fleet."""
        scope.require(ADMIN, "sign a release again")
        old, new = self.shelf.load(number), self._next_number()
        notes = notes or f"release {number} again"
        payloads = {f: releases.pack_root({**old.root(f), "number": new, "notes": notes}) for f in old.families}
        release = Release(new, old.name, notes, old.built_by, payloads=payloads)
        self.shelf.save_sbom(new, self.shelf.sbom(number))
        return self._finish(release, "release.again", scope)

    def offer(self, number: int, *, scope: Scope, days: int = OFFER_DAYS) -> Release:
        """Sign offers of a release anew, that expire in so many days."""
        scope.require(ADMIN, f"offer release {number}")
        release = self.shelf.load(number)
        if release.retired:
            got = release.objection(self.clock())
            raise UsageError(expected="a release that is not retired", got=got, todo="offer another one")
        expires_s = int(self.clock()) + days * _DAY_S
        offers = {f: self.keys.sign(_offer_payload(release, f, expires_s)) for f in release.families}
        release = dataclasses.replace(release, offers=offers)
        self.shelf.save(release)
        self.audit.record(scope, "release.offer", str(number), after={"expires_s": expires_s})
        return release

    def to_sign(self, number: int, days: int = OFFER_DAYS) -> dict[str, bytes]:
        """Return what must be signed elsewhere, by file name: roots that are not signed, and an offer of each."""
        release, expires_s = self.shelf.load(number), int(self.clock()) + days * _DAY_S
        files = {f"{number}-{f}.root": release.payloads[f] for f in release.families if f not in release.roots}
        offers = {f"{number}-{f}.offer": _offer_payload(release, f, expires_s) for f in release.families}
        return {**files, **offers}

    def take_signed(self, signed: bytes, *, scope: Scope) -> str:
        """Take in a root or an offer that was signed elsewhere; return what it is, ReleaseError when it is nothing."""
        scope.require(ADMIN, "take in a signature")
        try:
            payload = cose.verify(signed, self.keys.moduli())
        except WireError as error:
            todo = "sign with one of the two keys of this fleet, see `citynode key list`"
            raise ReleaseError(expected="a signature of this fleet", got=str(error), todo=todo) from error
        for number in reversed(self.shelf.numbers()):
            release = self.shelf.load(number)
            for family, root in release.payloads.items():
                found = _placed(release, family, root, payload, signed)
                if found:
                    self.shelf.save(found)
                    what = f"{'root' if payload == root else 'offer'} of release {number} for {family}"
                    self.audit.record(scope, "release.sign", str(number), after={"what": what})
                    return what
        raise ReleaseError(
            expected="a root or an offer of a release here", got="another message", todo="build it first"
        )

    def retire(self, number: int, why: str, *, scope: Scope) -> Release:
        """Offer a release to nobody any more; what runs it goes on."""
        scope.require(ADMIN, f"retire release {number}")
        release = dataclasses.replace(self.shelf.load(number), retired=why or "retired")
        self.shelf.save(release)
        self.audit.record(scope, "release.retire", str(number), after={"why": release.retired})
        return release

    def diff(self, old: int, new: int, family: str) -> tuple[list[tuple[str, str, int | None, int | None]], int]:
        """Return [(path, what happened, bytes before, after)...] and the bytes of the bundle from one to the other."""
        before = tree_of(self.shelf, self.shelf.load(old), family)
        after = tree_of(self.shelf, self.shelf.load(new), family)
        files, other = before.files(), after.files()
        rows = [
            (path, _change(files.get(path), other.get(path)), _size(files.get(path)), _size(other.get(path)))
            for path in sorted(files.keys() | other.keys())
            if files.get(path) != other.get(path)
        ]
        return rows, len(bundles.make(after, before))

    def who_has(self, wanted: str, running: Sequence[tuple[str, int | None]]) -> list[tuple[int, str, str, list[str]]]:
        """Return (release, component, version, nodes that run it) of every release that holds COMPONENT[@VERSION].

        `running` is (node, number of the release that it says it runs).
        """
        rows = []
        for number in self.shelf.numbers():
            nodes = [node for node, runs in running if runs == number]
            for name, version in sbom.components(self.shelf.sbom(number)):
                if wanted in (name, f"{name}@{version}"):
                    rows.append((number, name, version, nodes))
        return rows

    def _next_number(self) -> int:
        return max(self.shelf.numbers(), default=0) + 1

    def _finish(self, release: Release, action: str, scope: Scope) -> Release:
        if self.keys.file(1).exists():
            expires_s = int(self.clock()) + OFFER_DAYS * _DAY_S
            roots = {family: self.keys.sign(payload) for family, payload in release.payloads.items()}
            offers = {f: self.keys.sign(_offer_payload(release, f, expires_s)) for f in release.families}
            release = dataclasses.replace(release, roots=roots, offers=offers)
        self.shelf.save(release)
        after: dict[str, Any] = {"name": release.name, "notes": release.notes, "signed": release.signed}
        self.audit.record(scope, action, str(release.number), after=after)
        return release


def require_key(keys: Keys) -> None:
    """Raise SetupError unless the first key is on this machine."""
    if not keys.file(1).exists():
        todo = "use `citynode release to-sign`, sign there, and `citynode release take-signed`"
        raise SetupError(expected=f"the key {keys.file(1)}", got="none", todo=todo)


def _root(
    number: int, name: str, family: str, boards: list[str], top: bytes, wanted: Wanted, image: bytes | None
) -> bytes:
    fields = {"number": number, "name": name, "family": family, "boards": sorted(boards), "interpreter": INTERPRETER}
    named = [sha256(image).digest(), len(image)] if image else None
    try:
        return releases.pack_root({**fields, "tree": top, "needs": wanted.needs, "notes": wanted.notes, "image": named})
    except WireError as error:
        raise UsageError(expected="a release that a node takes", got=str(error), todo="correct it") from error


def _offer_payload(release: Release, family: str, expires_s: int) -> bytes:
    return releases.pack_offer(sha256(release.payloads[family]).digest(), expires_s)


def _placed(release: Release, family: str, root: bytes, payload: bytes, signed: bytes) -> Release | None:
    """Return the release with a signed message in its place, None when it is none of this family's."""
    if payload == root:
        return dataclasses.replace(release, roots={**release.roots, family: signed})
    try:
        named, _ = releases.check_offer(payload_of(signed))
    except WireError:
        return None
    if named != sha256(root).digest():
        return None
    return dataclasses.replace(release, offers={**release.offers, family: signed})


def _version(root: Path) -> str:
    for line in (root / "firmware" / "__init__.py").read_text("utf-8").splitlines():
        if line.startswith("VERSION = "):
            return line.split('"')[1]
    raise UsageError(expected="a VERSION in firmware/__init__.py", got="none", todo=f"look into {root}")


def _change(before: bytes | None, after: bytes | None) -> str:
    return "new" if before is None else "gone" if after is None else "changed"


def _size(content: bytes | None) -> int | None:
    return None if content is None else len(content)
