"""Sessions: from signing in until signing out, IDLE_MS without a request, or LONGEST_MS. Pure."""

import hashlib
import hmac
from typing import NamedTuple

IDLE_MS = 12 * 3_600_000
LONGEST_MS = 7 * 86_400_000
TOUCH_MS = 60_000
"""A request is noted at most so often, so that looking writes nothing."""


class Session(NamedTuple):
    """A browser that is signed in: `key` is the hash of its token, `person` a name, times Unix milliseconds."""

    key: str
    person: str
    begun_ms: int
    seen_ms: int


def key_of(token: str) -> str:
    """Return what the store keeps of a token: SHA-256, enough for 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def form_token(token: str) -> str:
    """Return what a form of this session carries: it proves that the page came from us (CSRF), and tells no token."""
    return hmac.new(token.encode(), b"citynode form", hashlib.sha256).hexdigest()


def is_alive(session: Session, now_ms: int) -> bool:
    """True while the session holds."""
    return now_ms - session.seen_ms < IDLE_MS and now_ms - session.begun_ms < LONGEST_MS
