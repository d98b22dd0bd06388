"""People: roles, passwords, sessions, and what is kept of every change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_people import SqlPeople
from device_manager.audit import Audit
from device_manager.errors import UsageError
from device_manager.people import People
from device_manager.people.passwords import Passwords
from device_manager.people.sessions import IDLE_MS, LONGEST_MS, TOUCH_MS
from device_manager.people.throttle import FREE, WINDOW_MS, Throttle
from device_manager.scopes import ADMIN, TECHNICIAN, VIEWER, Forbidden, Scope

GOOD = "correct horse battery"
ROOT = Scope("local:root")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ms = 1_000_000_000

    def now_ms(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(tmp_path: Path, clock: Clock) -> Iterator[People]:
    operations = Operations(tmp_path / "citynode.db")
    quick = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    yield People(SqlPeople(operations), Audit(SqlAudit(operations), clock), clock, quick)
    operations.close()


def test_a_password_is_kept_as_argon2id_and_is_in_no_log(people: People) -> None:
    person = people.add("anna", ADMIN, GOOD, scope=ROOT)
    assert person.password.startswith("$argon2id$") and GOOD not in person.password
    assert all(GOOD not in "".join(map(str, entry)) for entry in people._audit.entries())
    assert Passwords().hash(GOOD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")  # RFC 9106, second choice


def test_people_are_changed_by_admins_alone(people: People) -> None:
    people.add("anna", ADMIN, GOOD, scope=ROOT)
    toni = Scope("toni", TECHNICIAN)
    for change in (
        lambda: people.add("eve", ADMIN, GOOD, scope=toni),
        lambda: people.set_role("anna", VIEWER, scope=toni),
        lambda: people.set_password("anna", GOOD, scope=toni),
        lambda: people.remove("anna", scope=toni),
    ):
        with pytest.raises(Forbidden):
            change()
    assert [entry.action for entry in people._audit.entries()] == ["person.add"]


def test_every_change_is_kept_with_before_and_after(people: People) -> None:
    people.add("anna", ADMIN, GOOD, scope=ROOT)
    people.add("toni", VIEWER, GOOD, scope=Scope("anna"))
    people.set_role("toni", TECHNICIAN, scope=Scope("anna"))
    people.remove("toni", scope=Scope("anna"))
    rows = [(e.actor, e.action, e.subject, e.before, e.after) for e in people._audit.entries()]
    assert rows == [
        ("anna", "person.remove", "toni", '{"role":"technician"}', "{}"),
        ("anna", "person.role", "toni", '{"role":"viewer"}', '{"role":"technician"}'),
        ("anna", "person.add", "toni", "{}", '{"role":"viewer"}'),
        ("local:root", "person.add", "anna", "{}", '{"role":"admin"}'),
    ]


def test_the_only_admin_stays_one(people: People) -> None:
    people.add("anna", ADMIN, GOOD, scope=ROOT)
    for change in (lambda: people.remove("anna", scope=ROOT), lambda: people.set_role("anna", VIEWER, scope=ROOT)):
        with pytest.raises(UsageError, match="expected another admin first, got anna, the only one; add one"):
            change()


@pytest.mark.parametrize("name", ["", "Anna", "a b", "<script>", "x" * 65, "../x"])
def test_a_name_that_could_be_more_than_a_name_is_refused(people: People, name: str) -> None:
    with pytest.raises(UsageError, match="expected a name of a-z"):
        people.add(name, VIEWER, GOOD, scope=ROOT)


def test_a_short_password_is_refused(people: People) -> None:
    with pytest.raises(UsageError, match="a password of 12 to 256 characters, got 5 characters"):
        people.add("anna", ADMIN, "short", scope=ROOT)


def test_wrong_name_and_wrong_password_do_not_open(people: People) -> None:
    people.add("anna", ADMIN, GOOD, scope=ROOT)
    assert people.sign_in("anna", "wrong", "a") is None
    assert people.sign_in("nobody", GOOD, "a") is None
    assert people.sign_in("anna", "", "a") is None
    assert people.sign_in("anna", GOOD, "a") is not None


def test_a_session_ends_idle_or_old_or_by_a_new_password_or_without_its_person(people: People, clock: Clock) -> None:
    people.add("anna", ADMIN, GOOD, scope=ROOT)
    people.add("toni", TECHNICIAN, GOOD, scope=ROOT)

    def begin(name: str) -> str:
        signed = people.sign_in(name, GOOD, "a")
        assert signed and people.signed_in(signed.token) == signed
        return signed.token

    token = begin("toni")
    clock.ms += IDLE_MS
    assert people.signed_in(token) is None
    token = begin("toni")
    for _ in range(LONGEST_MS // (IDLE_MS // 2)):
        assert people.signed_in(token)
        clock.ms += IDLE_MS // 2
    assert people.signed_in(token) is None
    token = begin("toni")
    people.set_password("toni", GOOD + "!", scope=Scope("toni", TECHNICIAN))
    assert people.signed_in(token) is None
    token = people.sign_in("toni", GOOD + "!", "a").token  # type: ignore[union-attr]
    people.remove("toni", scope=ROOT)
    assert people.signed_in(token) is None


def test_a_role_holds_from_the_next_request_on(people: People, clock: Clock) -> None:
    people.add("anna", ADMIN, GOOD, scope=ROOT)
    people.add("toni", ADMIN, GOOD, scope=ROOT)
    token = people.sign_in("toni", GOOD, "a").token  # type: ignore[union-attr]
    people.set_role("toni", VIEWER, scope=ROOT)
    clock.ms += TOUCH_MS + 1
    found = people.signed_in(token)
    assert found and found.scope == Scope("toni", VIEWER)


def test_the_store_knows_no_token(people: People, tmp_path: Path) -> None:
    people.add("anna", ADMIN, GOOD, scope=ROOT)
    token = people.sign_in("anna", GOOD, "a").token  # type: ignore[union-attr]
    assert all(token.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_failures_are_forgiven_after_the_window_and_the_memory_is_bounded() -> None:
    throttle = Throttle()
    for _ in range(FREE):
        assert throttle.wait_ms("x", 0) == 0
        throttle.failed("x", 0)
    assert throttle.wait_ms("x", 1) == WINDOW_MS - 1
    assert throttle.wait_ms("x", WINDOW_MS) == 0
    for number in range(20_000):
        throttle.failed(str(number), 0)
    assert len(throttle._failures) == 10_000
