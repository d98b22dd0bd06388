"""What an admin does with accounts of consumers: give one, take it back, look. Each step is in the audit log."""

from collections.abc import Callable, Sequence

from device_manager.audit import Audit
from device_manager.errors import UsageError
from device_manager.scopes import ADMIN, Scope
from device_manager.twin.accounts import PER_MINUTE, Account, Accounts, issue


class Accounting:
    """The accounts; `follow` is called when the broker has to learn of a change."""

    def __init__(self, accounts: Accounts, audit: Audit, sites: Sequence[str], follow: Callable[[], None]) -> None:
        self._accounts = accounts
        self._audit = audit
        self._sites = sites
        self._follow = follow

    def all(self) -> list[Account]:
        """Return all accounts by name, revoked ones too."""
        return self._accounts.all()

    def give(
        self,
        name: str,
        sites: Sequence[str],
        random: Callable[[int], bytes],
        now_s: int,
        *,
        per_minute: int = PER_MINUTE,
        scope: Scope,
    ) -> str:
        """Make an account and return its token, which is shown once. A name is given once, for ever."""
        scope.require(ADMIN, "give a token")
        if any(account.name == name for account in self.all()):
            raise UsageError(expected="a new name", got=f"{name}, which was given before", todo="choose another one")
        unknown = sorted(set(sites) - set(self._sites))
        if unknown:
            raise UsageError(expected="known sites", got=", ".join(unknown), todo="see `citynode site list`")
        secret, account = issue(name, frozenset(sites), now_s, random, per_minute)
        self._accounts.add(account)
        after = {"sites": sorted(account.sites), "per_minute": per_minute}
        self._audit.record(scope, "twin.token.give", name, after=after)
        self._follow()
        return secret

    def revoke(self, name: str, now_s: int, *, scope: Scope) -> None:
        """Take an account back; it is refused from the next request on."""
        scope.require(ADMIN, "revoke a token")
        if not any(account.name == name and account.revoked_s is None for account in self.all()):
            raise UsageError(expected="an account that holds", got=name, todo="see `citynode twin token list`")
        self._accounts.revoke(name, now_s)
        self._audit.record(scope, "twin.token.revoke", name)
        self._follow()
