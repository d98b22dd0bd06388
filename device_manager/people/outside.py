"""People whom somebody else knows: what an OpenID Connect provider says of them, and which role that gives. Pure.

>>> rules = Mapping("realm_access.roles", {"admin": "fleet-admins", "viewer": "staff"})
>>> role_of({"realm_access": {"roles": ["staff"]}}, rules), role_of({}, rules)
('viewer', None)
"""

import re
from collections.abc import Mapping as AnyMapping
from typing import Any, NamedTuple, Protocol

from device_manager.scopes import ROLES

OUTSIDE = "outside"
"""Stands for the password of a person who has none here: no password matches it."""


class Asked(NamedTuple):
    """What belongs to one attempt to sign in: the provider sees state and nonce only."""

    state: str
    nonce: str
    verifier: str


class Provider(Protocol):
    """Whoever says who people are; calls raise CitynodeError when it is away or says what it must not."""

    def ask(self) -> Asked: ...
    def address(self, asked: Asked) -> str: ...
    def claims(self, code: str, asked: Asked, now_s: float) -> dict[str, Any]: ...


class Mapping(NamedTuple):
    """`claim` is a path of names joined by points; `values` says for each role which value means it."""

    claim: str
    values: AnyMapping[str, str]


def role_of(claims: AnyMapping[str, Any], mapping: Mapping) -> str | None:
    """Return the highest role that the claim gives, None when it gives none."""
    found: Any = claims
    for name in mapping.claim.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    given = set(found.split()) if isinstance(found, str) else set(found) if _texts(found) else set()
    return next((role for role in reversed(ROLES) if mapping.values.get(role) in given), None)


def name_of(claims: AnyMapping[str, Any], claim: str) -> str:
    """Return the name that a person gets here: lower case, of what names may have; "" when the claim has none."""
    said = claims.get(claim)
    return re.sub(r"[^a-z0-9._@+-]+", "-", said.lower()).strip("._@+-")[:64] if isinstance(said, str) else ""


def _texts(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(one, str) for one in found)
