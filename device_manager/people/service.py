"""The service of people: every change takes the scope of who is acting and lands in the audit log, never a password."""

import re
import secrets
import threading
from typing import NamedTuple, Protocol

from device_manager.audit import Audit
from device_manager.errors import UsageError
from device_manager.people import passwords
from device_manager.people.outside import OUTSIDE
from device_manager.people.sessions import LONGEST_MS, TOUCH_MS, Session, form_token, is_alive, key_of
from device_manager.people.throttle import Throttle
from device_manager.ports import Clock
from device_manager.scopes import ADMIN, ROLES, VIEWER, Scope

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


class Person(NamedTuple):
    """Who may sign in; `password` is its hash."""

    name: str
    role: str
    password: str
    added_ms: int


class SignedIn(NamedTuple):
    """A session as its browser holds it: `token` for the cookie, `form_token` for its forms, and who it is."""

    token: str
    form_token: str
    scope: Scope


class PeopleStore(Protocol):
    """What people ask of a store; each call is durable when it returns."""

    def people(self) -> list[Person]: ...
    def person(self, name: str) -> Person | None: ...
    def put(self, person: Person) -> None: ...
    def remove(self, name: str) -> None: ...
    def session(self, key: str) -> Session | None: ...
    def put_session(self, session: Session) -> None: ...
    def end_session(self, key: str) -> None: ...
    def end_sessions(self, person: str) -> None: ...
    def drop_sessions(self, seen_before_ms: int) -> None: ...


class People:
    """People and sessions of one fleet. Any thread."""

    def __init__(self, store: PeopleStore, audit: Audit, clock: Clock, hashing: passwords.Passwords) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._hashing = hashing
        self._throttle = Throttle()
        self._signing_in = threading.Lock()  # one at a time: a hash takes 64 MiB

    def all(self) -> list[Person]:
        """Return all people by name."""
        return sorted(self._store.people())

    def add(self, name: str, role: str, password: str, *, scope: Scope) -> Person:
        """Add a person."""
        scope.require(ADMIN, "add people")
        _check(name, role)
        if self._store.person(name):
            raise UsageError(expected="a new name", got=repr(name), todo="it is there already; choose another one")
        person = Person(name, role, self._hashing.hash(password), self._clock.now_ms())
        self._store.put(person)
        self._audit.record(scope, "person.add", name, after={"role": role})
        return person

    def set_role(self, name: str, role: str, *, scope: Scope) -> None:
        """Give a person another role; it holds from their next request on."""
        scope.require(ADMIN, "change roles")
        _check(name, role)
        person = self._person(name)
        self._keep_an_admin(person, role)
        self._store.put(person._replace(role=role))
        self._audit.record(scope, "person.role", name, {"role": person.role}, {"role": role})

    def set_password(self, name: str, password: str, *, scope: Scope) -> None:
        """Give a person a new password and end their sessions; everybody may change their own."""
        if scope.actor != name:
            scope.require(ADMIN, "set another's password")
        if self._person(name).password == OUTSIDE:
            todo = "change it at the provider"
            raise UsageError(expected="somebody with a password here", got=repr(name), todo=todo)
        self._store.put(self._person(name)._replace(password=self._hashing.hash(password)))
        self._store.end_sessions(name)
        self._audit.record(scope, "person.password", name)

    def remove(self, name: str, *, scope: Scope) -> None:
        """Remove a person and end their sessions; what they did stays in the audit log."""
        scope.require(ADMIN, "remove people")
        person = self._person(name)
        self._keep_an_admin(person, VIEWER)
        self._store.end_sessions(name)
        self._store.remove(name)
        self._audit.record(scope, "person.remove", name, before={"role": person.role})

    def sign_in(self, name: str, password: str, address: str) -> SignedIn | None:
        """Return a new session, None when the name or the password is wrong; UsageError for whoever tries too often."""
        now_ms = self._clock.now_ms()
        keys = (f"name {name[:64]}", f"from {address}")
        with self._signing_in:
            wait_ms = max(self._throttle.wait_ms(key, now_ms) for key in keys)
            if wait_ms:
                expected, got = "fewer wrong passwords", "too many in five minutes"
                raise UsageError(expected=expected, got=got, todo=f"wait {wait_ms // 1000 + 1} s")
            person = self._store.person(name)
            if not self._hashing.matches(person.password if person else None, password) or person is None:
                for key in keys:
                    self._throttle.failed(key, now_ms)
                return None
            self._throttle.succeeded(keys[0])
        return self._begin(person)

    def sign_in_outside(self, name: str, role: str) -> SignedIn:
        """Return a new session of somebody whom the provider knows, with the role that it gives them now.

        UsageError when that is the name of somebody with a password here: whoever runs the provider is not them.
        """
        _check(name, role)
        person = self._store.person(name)
        if person and person.password != OUTSIDE:
            todo = "ask an admin to remove the one with a password, or to give you another name there"
            raise UsageError(expected="a name that nobody has here", got=repr(name), todo=todo)
        if person is None or person.role != role:
            before = {"role": person.role} if person else None
            person = Person(name, role, OUTSIDE, person.added_ms if person else self._clock.now_ms())
            self._store.put(person)
            provider = Scope("oidc", ADMIN)
            self._audit.record(provider, "person.role" if before else "person.add", name, before, {"role": role})
        return self._begin(person)

    def sign_out(self, token: str) -> None:
        """End a session."""
        self._store.end_session(key_of(token))

    def signed_in(self, token: str) -> SignedIn | None:
        """Return whose session the token is, with the role of this moment; None when it holds no more."""
        session, now_ms = self._store.session(key_of(token)), self._clock.now_ms()
        person = self._store.person(session.person) if session and is_alive(session, now_ms) else None
        if session is None or person is None:
            return None
        if now_ms - session.seen_ms > TOUCH_MS:
            self._store.put_session(session._replace(seen_ms=now_ms))
        return SignedIn(token, form_token(token), Scope(person.name, person.role))

    def _begin(self, person: Person) -> SignedIn:
        token, now_ms = secrets.token_urlsafe(32), self._clock.now_ms()
        self._store.drop_sessions(now_ms - LONGEST_MS)
        self._store.put_session(Session(key_of(token), person.name, now_ms, now_ms))
        scope = Scope(person.name, person.role)
        self._audit.record(scope, "person.sign_in", person.name)
        return SignedIn(token, form_token(token), scope)

    def _person(self, name: str) -> Person:
        found = self._store.person(name)
        if found is None:
            raise UsageError(expected="a known person", got=repr(name), todo="see `citynode user list`")
        return found

    def _keep_an_admin(self, person: Person, role: str) -> None:
        others = [p for p in self._store.people() if p.role == ADMIN and p.name != person.name]
        if person.role == ADMIN and role != ADMIN and not others:
            raise UsageError(expected="another admin first", got=f"{person.name}, the only one", todo="add one")


def _check(name: str, role: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(expected="a name of a-z, 0-9 and . _ @ + -", got=repr(name[:80]), todo="choose another name")
    if role not in ROLES:
        raise UsageError(expected=" or ".join(ROLES), got=repr(role[:80]), todo="choose one of them")
