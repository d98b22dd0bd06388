"""Passwords: argon2id with the parameters of RFC 9106's second choice, as argon2-cffi has them.

>>> kept = Passwords().hash("correct horse battery")
>>> Passwords().matches(kept, "correct horse battery"), Passwords().matches(kept, "wrong")
(True, False)
"""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from device_manager.errors import UsageError

SHORTEST, LONGEST = 12, 256


class Passwords:
    """Hashes and compares."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._nobody = self._hasher.hash("a password that nobody has")

    def hash(self, password: str) -> str:
        """Return what is kept of a password; UsageError when it is too short, or so long that it is an attack."""
        if not SHORTEST <= len(password) <= LONGEST:
            todo = "take a few random words"
            expected = f"a password of {SHORTEST} to {LONGEST} characters"
            raise UsageError(expected=expected, got=f"{len(password)} characters", todo=todo)
        return self._hasher.hash(password)

    def matches(self, kept: str | None, password: str) -> bool:
        """True when `password` is the one; takes as long for a name that is not there (None), so that none is told."""
        if len(password) > LONGEST:
            return False
        try:
            return self._hasher.verify(kept or self._nobody, password) and bool(kept)
        except (VerificationError, InvalidHashError):
            return False
