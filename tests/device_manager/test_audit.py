"""Who may do what, and what is kept of it."""

from pathlib import Path

import pytest

from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_operations import Operations, path_beside
from device_manager.audit import Audit
from device_manager.scopes import ADMIN, ROLES, TECHNICIAN, VIEWER, Forbidden, Scope


class At:
    """A clock that stands."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms


def test_a_role_includes_those_before_it_and_none_behind() -> None:
    may = {role: [other for other in ROLES if Scope("x", role).may(other)] for role in ROLES}
    assert may == {VIEWER: [VIEWER], TECHNICIAN: [VIEWER, TECHNICIAN], ADMIN: [VIEWER, TECHNICIAN, ADMIN]}


def test_a_viewer_who_tries_more_is_told_what_is_needed() -> None:
    Scope("anna", TECHNICIAN).require(TECHNICIAN, "start a maintenance")
    with pytest.raises(Forbidden, match="the role admin to revoke a node, got anna, a technician; ask an admin"):
        Scope("anna", TECHNICIAN).require(ADMIN, "revoke a node")


def test_entries_come_back_newest_first_and_by_subject(tmp_path: Path) -> None:
    operations = Operations(tmp_path / "citynode.db")
    audit = Audit(SqlAudit(operations), At(1234))
    scope = Scope("anna", TECHNICIAN)
    audit.record(scope, "node.admit", "kempten-01", {"admission": "pending"}, {"admission": "accepted"})
    audit.record(scope, "site.add", "rathausplatz", after={"title": "Rathausplatz"})
    assert [(e.number, e.action, e.subject) for e in audit.entries()] == [
        (2, "site.add", "rathausplatz"),
        (1, "node.admit", "kempten-01"),
    ]
    (found,) = audit.entries(subject="kempten-01")
    assert found == (1, 1234, "anna", "technician", "node.admit", "kempten-01", '{"admission":"pending"}', found.after)
    assert audit.entries(before=2, limit=5) == [found]
    operations.close()


def test_the_log_survives_and_is_private(tmp_path: Path) -> None:
    for _ in range(2):
        operations = Operations(tmp_path / "citynode.db")
        Audit(SqlAudit(operations), At(1)).record(Scope("anna"), "fleet.look", "all")
        operations.close()
    operations = Operations(tmp_path / "citynode.db")
    assert len(SqlAudit(operations).entries()) == 2
    assert path_beside(tmp_path / "citynode.db").stat().st_mode & 0o777 == 0o600
    operations.close()
