"""What is known of releases, and the port behind which they are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from device_manager.errors import CitynodeError, UsageError
from device_manager.releases.tree import Tree, load
from firmware.wire import WireError, cbor, cose, releases


class ReleaseError(CitynodeError):
    """The release's fault: a signature, a sum or a number is not what it must be."""


@dataclass(frozen=True)
class Release:
    """A numbered set of trees, one for each family of chips, with its signed roots and offers as far as they are there.

    `payloads` are the roots as they were built, `roots` and `offers` signed messages; all by family.
    """

    number: int
    name: str
    notes: str
    built_by: str
    retired: str = ""  # why, empty: it is not
    payloads: Mapping[str, bytes] = field(default_factory=dict)
    roots: Mapping[str, bytes] = field(default_factory=dict)
    offers: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def families(self) -> list[str]:
        return sorted(self.payloads)

    def root(self, family: str) -> dict[str, Any]:
        """Return the fields of a family's root; UsageError for a family that the release is not for."""
        if family not in self.payloads:
            todo = f"see `citynode release show {self.number}`"
            expected = f"a family of release {self.number}: {', '.join(self.families)}"
            raise UsageError(expected=expected, got=repr(family), todo=todo)
        return dict(releases.check_root(self.payloads[family]))

    def expires_s(self, family: str) -> int | None:
        """Return until when a family's offer holds, None when there is none."""
        offer = self.offers.get(family)
        return releases.check_offer(payload_of(offer))[1] if offer else None

    @property
    def signed(self) -> bool:
        """True when every root is signed."""
        return set(self.roots) == set(self.payloads)

    def objection(self, now_s: float) -> str:
        """Return "" when every family can be offered now, else why not."""
        if self.retired:
            return f"release {self.number}, which is retired ({self.retired})"
        if not self.signed:
            return f"release {self.number}, which is not signed"
        ends = [self.expires_s(family) for family in self.families]
        if any(end is None for end in ends):
            return f"release {self.number}, whose offer is not signed"
        if any(end is not None and end <= now_s for end in ends):
            return f"release {self.number}, whose offer has expired"
        return ""

    def require_offerable(self, now_s: float) -> None:
        """Raise UsageError, which says why not and what to do, unless every family can be offered now."""
        why = self.objection(now_s)
        if why:
            command = "offer" if self.signed else "to-sign"
            again = f"sign it, see `citynode release {command} {self.number}`"
            todo = "take another one of `citynode release list`" if self.retired else again
            raise UsageError(expected="a release that is signed, offered and not retired", got=why, todo=todo)


class Shelf(Protocol):
    """Where releases are kept: objects by their sum, never changed; releases by number."""

    def numbers(self) -> list[int]:
        """Return all numbers, ascending."""
        ...

    def load(self, number: int) -> Release:
        """Return a release; UsageError when there is none of that number."""
        ...

    def save(self, release: Release) -> None:
        """Keep a release, in the place of what was known of its number."""
        ...

    @property
    def objects(self) -> Mapping[bytes, bytes]:
        """The objects by their sum."""
        ...

    def add_objects(self, objects: Mapping[bytes, bytes]) -> None:
        """Keep objects that are not there yet."""
        ...

    def save_sbom(self, number: int, text: str) -> None:
        """Keep the bill of materials of a release."""
        ...

    def sbom(self, number: int) -> str:
        """Return the bill of materials of a release."""
        ...


def payload_of(signed: bytes) -> bytes:
    """Return what a signed message carries, without looking at the signature."""
    parts = cbor.decode(signed)
    if not isinstance(parts, list) or len(parts) != 4 or not isinstance(parts[2], bytes):
        raise WireError("expected a signed message of four parts")
    return parts[2]


def tree_of(shelf: Shelf, release: Release, family: str) -> Tree:
    """Return the tree of a family; ReleaseError when an object is missing or damaged."""
    try:
        return load(release.root(family)["tree"], shelf.objects)
    except WireError as error:
        todo = "restore releases/ from a backup, or build it again"
        raise ReleaseError(expected=f"the whole of release {release.number}", got=str(error), todo=todo) from error


def findings(shelf: Shelf, release: Release, keys: list[bytes], now_s: float) -> list[tuple[str, str, str]]:
    """Return (family, what, "" or what is wrong) of everything that a node would check, and that is kept here."""
    rows = []
    for family in release.families:
        rows.append((family, "root signed", _signature(release.roots.get(family), release.payloads[family], keys)))
        rows.append((family, "offer", _offer(release, family, keys, now_s)))
        try:
            count = len(tree_of(shelf, release, family).objects)
            rows.append((family, f"{count} objects", ""))
        except ReleaseError as error:
            rows.append((family, "objects", error.got))
    return rows


def _signature(signed: bytes | None, payload: bytes, keys: list[bytes]) -> str:
    if signed is None:
        return "not signed"
    try:
        return "" if cose.verify(signed, keys) == payload else "signed over another payload"
    except WireError as error:
        return str(error)


def _offer(release: Release, family: str, keys: list[bytes], now_s: float) -> str:
    offer, end = release.offers.get(family), release.expires_s(family)
    if offer is None or end is None:
        return "none"
    found = _signature(offer, payload_of(offer), keys)
    return found or ("" if end > now_s else "expired")
