"""What the register takes as a site's or node's attributes: one rule for each, for people, CSV and TOML alike. Pure.

for problem in site_problems(site): problem.field, problem.expected, problem.got
"""

import math
import re
import unicodedata
import zoneinfo
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from device_manager.errors import UsageError
from device_manager.ports import Site
from firmware.wire import topics

PROVISIONED = "provisioned"
PENDING = "pending"
ACCEPTED = "accepted"
REJECTED = "rejected"
DECOMMISSIONED = "decommissioned"
ADMISSIONS = (PROVISIONED, PENDING, ACCEPTED, REJECTED, DECOMMISSIONED)

_SITE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_TAG = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_GML_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}")  # an XML NCName without letters beyond ASCII
_NO_LINE = ("Cc", "Cs", "Zl", "Zp")  # Unicode categories: control, half a character, line and paragraph separator
_TEXT_CHARACTERS = 200
_HEIGHTS_M = (-100.0, 1000.0)


class Problem(NamedTuple):
    """Attribute `field` is not as it must be."""

    field: str
    expected: str
    got: str


def site_problems(site: Site) -> Iterator[Problem]:
    """Yield what the register does not take of a site."""
    if not _SITE_NAME.fullmatch(site.name):
        yield Problem("name", "a site name: up to 64 of a-z, 0-9 and -", repr(site.name))
    for field, value, low, high in (
        ("latitude", site.latitude, -90, 90),
        ("longitude", site.longitude, -180, 180),
        ("height_m", site.height_m, *_HEIGHTS_M),
    ):
        if not (math.isfinite(value) and low <= value <= high):
            yield Problem(field, f"{_MEANS[field]} ({low:g} to {high:g})", f"{value!r}")
    if site.heading_deg is not None and not 0 <= site.heading_deg < 360:
        yield Problem("heading_deg", "degrees clockwise from north (0 to below 360)", repr(site.heading_deg))
    for field, text in (("title", site.title), ("district", site.district), ("fixture", site.fixture)):
        if not is_line(text):
            yield Problem(field, f"one line of at most {_TEXT_CHARACTERS} characters", repr(text[:40]))
    if site.zone not in _zones():
        yield Problem("zone", "an IANA time zone such as Europe/Berlin", repr(site.zone))
    if site.gml_id and not _GML_ID.fullmatch(site.gml_id):
        yield Problem("gml_id", "a gml:id: a letter or _, then letters, digits, _, . and -", repr(site.gml_id))
    yield from tag_problems(site.tags)


_MEANS = {"latitude": "degrees north", "longitude": "degrees east", "height_m": "metres above ground"}


def node_problems(name: str, admission: str, tags: tuple[str, ...]) -> Iterator[Problem]:
    """Yield what the register does not take of a node."""
    if not topics.is_node_id(name):
        yield Problem("name", "a node id: 3 to 32 characters of a-z, 0-9 and -", repr(name))
    if admission not in ADMISSIONS:
        yield Problem("admission", f"one of {', '.join(ADMISSIONS)}", repr(admission))
    yield from tag_problems(tags)


def tag_problems(tags: tuple[str, ...]) -> Iterator[Problem]:
    """Yield what is wrong with tags: words, each once, in order."""
    for tag in tags:
        if not _TAG.fullmatch(tag):
            yield Problem("tags", "tags: up to 32 characters of a-z, 0-9 and -", repr(tag))
    if not all(a < b for a, b in zip(tags, tags[1:], strict=False)):
        yield Problem("tags", "each tag once, in the order of the alphabet", " ".join(tags))


def is_line(text: str) -> bool:
    """True for one line of text without space around it."""
    whole = len(text) <= _TEXT_CHARACTERS and text == text.strip()
    return whole and not any(unicodedata.category(character) in _NO_LINE for character in text)


def is_site_name(text: str) -> bool:
    """True for what may name a site or a group."""
    return _SITE_NAME.fullmatch(text) is not None


def as_tags(words: Iterable[str]) -> tuple[str, ...]:
    """Return tags as they are kept: each once, sorted."""
    return tuple(sorted(set(words)))


def check(problems: Iterable[Problem]) -> None:
    """Raise UsageError for the first problem."""
    for problem in problems:
        raise UsageError(expected=problem.expected, got=problem.got, todo="correct it")


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
