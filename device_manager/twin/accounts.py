"""Accounts of consumers: what a token looks like, what is kept of it, what it lets its bearer see. Pure.

A token is `cnt_` and 256 random bits. Only its SHA-256 is kept: nobody can guess 256 bits, so a slow hash would protect
nothing. The broker wants its own form of hash, PBKDF2 with a salt (mosquitto's password file, `$7$`).

    secret, account = issue("traffic", frozenset(), 1700000000, secrets.token_bytes)
    find([account], hashed(secret)) is account
"""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from device_manager.errors import UsageError

PREFIX = "cnt_"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,30}[a-z0-9]")
_SALT_BYTES, _ROUNDS = 12, 101  # as mosquitto_passwd of 2.0 writes them
PER_MINUTE = 6000


class Account(NamedTuple):
    """A consumer: `sites` are names, none means all; `digest` is the token's SHA-256 in hex, `mqtt` its entry in the
    broker's password file; `revoked_s` is None while it holds."""

    name: str
    sites: frozenset[str]
    per_minute: int
    made_s: int
    revoked_s: int | None
    digest: str
    mqtt: str


class Accounts(Protocol):
    """Where accounts are kept; durable when a call returns."""

    def all(self) -> list[Account]:
        """Return all accounts by name, revoked ones too."""
        ...

    def add(self, account: Account) -> None:
        """Keep an account."""
        ...

    def revoke(self, name: str, now_s: int) -> None:
        """Mark an account as revoked."""
        ...


def issue(
    name: str, sites: frozenset[str], now_s: int, random: Callable[[int], bytes], per_minute: int = PER_MINUTE
) -> tuple[str, Account]:
    """Return (token, account); the token is shown once and kept nowhere. UsageError for a name that is none."""
    if not _NAME.fullmatch(name):
        raise UsageError(expected="a name of 3 to 32 of a-z, 0-9 and -", got=repr(name), todo="choose another one")
    if per_minute < 1:
        raise UsageError(expected="at least 1 request a minute", got=str(per_minute), todo="choose a higher one")
    secret = PREFIX + urlsafe_b64encode(random(32)).decode().rstrip("=")
    return secret, Account(
        name, sites, per_minute, now_s, None, hashed(secret), mqtt_entry(secret, random(_SALT_BYTES))
    )


def hashed(secret: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def mqtt_entry(secret: str, salt: bytes) -> str:
    """Return a token as mosquitto's password file has it."""
    key = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, _ROUNDS, 64)
    return f"$7${_ROUNDS}${b64encode(salt).decode()}${b64encode(key).decode()}"


def find(accounts: Iterable[Account], digest: str) -> Account | None:
    """Return the account of a token's digest, None for one that is not known or was revoked."""
    held = (account for account in accounts if account.revoked_s is None)
    return next((account for account in held if hmac.compare_digest(account.digest, digest)), None)


def secret_in(header: str | None) -> str | None:
    """Return the token that an Authorization header carries, None for no token.

    Bearer, or Basic with the token as password. Basic without a token is no account: some clients always send one.
    """
    scheme, _, rest = (header or "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return None
    try:
        password = b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return None
    return password if password.startswith(PREFIX) else None
