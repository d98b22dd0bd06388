"""Who asks, what may be seen, and how often: the one door of the open interfaces.

    door = Door(accounts, Grain(), per_minute=600)
    door.admit("Bearer cnt_..", "192.0.2.7", site_ids, now_s)     # -> Admitted(view) or Refused(status, ..)

The accounts are read again for each request, so that a revoked token is refused at once.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from device_manager.twin.accounts import Account, find, hashed, secret_in
from device_manager.twin.limits import Limiter
from device_manager.twin.public import Grain, View

PUBLIC_PER_MINUTE = 600


class Admitted(NamedTuple):
    """Come in; `account` is None for the public."""

    view: View
    account: Account | None = None


class Refused(NamedTuple):
    """Stay out: an HTTP status, why, and what the answer's header says."""

    status: int
    message: str
    headers: Mapping[str, str]


class Door:
    """Lets in or refuses."""

    def __init__(
        self,
        accounts: Callable[[], list[Account]],
        grain: Grain,
        sites: Callable[[], Mapping[str, int]],
        per_minute: int = PUBLIC_PER_MINUTE,
    ) -> None:
        """`accounts` are asked at each request with a token, `sites` give ids by name."""
        self._accounts = accounts
        self._grain = grain
        self._sites = sites
        self._per_minute = per_minute
        self._limiter = Limiter()

    def admit(self, authorization: str | None, address: str, now_s: float) -> Admitted | Refused:
        """Return what somebody may see who comes from `address` with an Authorization header."""
        secret = secret_in(authorization)
        if secret is None:
            return self._in_time(f"address {address}", self._per_minute, now_s) or Admitted(View(self._grain))
        account = find(self._accounts(), hashed(secret))
        if account is None:
            slow = self._in_time(f"address {address}", self._per_minute, now_s)
            message = "expected a token that holds: ask for a new one, or come without for public data"
            return slow or Refused(401, message, {"WWW-Authenticate": "Bearer"})
        return self._in_time(f"account {account.name}", account.per_minute, now_s) or Admitted(
            self._view(account), account
        )

    def _view(self, account: Account) -> View:
        if not account.sites:
            return View(self._grain, everything=True)
        known = self._sites()
        return View(self._grain, sites=frozenset(known[name] for name in account.sites if name in known))

    def _in_time(self, name: str, per_minute: int, now_s: float) -> Refused | None:
        wait_s = self._limiter.wait_s(name, per_minute, now_s)
        if not wait_s:
            return None
        message = f"expected at most {per_minute} requests a minute: come again in {math.ceil(wait_s)} s"
        return Refused(429, message, {"Retry-After": str(math.ceil(wait_s))})
