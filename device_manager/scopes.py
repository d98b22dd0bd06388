"""Who is acting, and what that person or program may do.

    viewer      looks
    technician  what a visit needs: hang and replace nodes, maintenance, commands, acknowledge alerts
    admin       everything: releases, rollouts, identities, people, settings

Every service call that changes something takes a Scope, without a default, and asks it first:

>>> Scope("anna", VIEWER).require(TECHNICIAN, "start a maintenance")
Traceback (most recent call last):
device_manager.scopes.Forbidden: expected the role technician to start a maintenance, got anna, a viewer; ask an admin
"""

from typing import NamedTuple

from device_manager.errors import UsageError

VIEWER = "viewer"
TECHNICIAN = "technician"
ADMIN = "admin"
ROLES = (VIEWER, TECHNICIAN, ADMIN)  # each may do what those before it may


class Forbidden(UsageError):
    """Who is acting may not do this."""


class Scope(NamedTuple):
    """Who is acting: `actor` names the person or program for the record, `role` is one of ROLES."""

    actor: str
    role: str = ADMIN

    def may(self, role: str) -> bool:
        """True when this scope's role includes `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def require(self, role: str, to_do: str) -> None:
        """Raise Forbidden unless the scope's role includes `role`; `to_do` says what was tried."""
        if not self.may(role):
            got = f"{self.actor}, a {self.role}"
            raise Forbidden(expected=f"the role {role} to {to_do}", got=got, todo="ask an admin")
