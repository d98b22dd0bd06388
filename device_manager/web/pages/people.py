"""People: who may sign in with which role; and everybody's own password."""

from starlette.responses import Response

from device_manager.errors import UsageError
from device_manager.scopes import ROLES
from device_manager.web.visit import Visit


def page(visit: Visit) -> Response:
    """Show everybody."""
    return visit.page("people.html", people=visit.desk.people.all(), roles=ROLES)


def add(visit: Visit) -> Response:
    """Add a person."""
    name, password = visit.field("name"), visit.form.get("password", "")
    visit.desk.people.add(name, visit.field("role"), password if isinstance(password, str) else "", scope=visit.scope)
    return visit.see("/people", visit.words("{name} was added", name=name))


def role(visit: Visit) -> Response:
    """Give a person another role."""
    visit.desk.people.set_role(visit.field("name"), visit.field("role"), scope=visit.scope)
    return visit.see("/people", visit.words("{name} is {role} now", name=visit.field("name"), role=visit.field("role")))


def remove(visit: Visit) -> Response:
    """Remove a person."""
    visit.desk.people.remove(visit.field("name"), scope=visit.scope)
    return visit.see("/people", visit.words("{name} was removed", name=visit.field("name")))


def me(visit: Visit) -> Response:
    """Show who is signed in."""
    return visit.page("me.html")


def password(visit: Visit) -> Response:
    """Change one's own password."""
    old, new = visit.field("old", 1000), visit.field("new", 1000)
    if not visit.signed_in:
        raise UsageError(expected="somebody who is signed in", got="a guest", todo="sign in first")
    address = visit.request.client.host if visit.request.client else ""
    if visit.desk.people.sign_in(visit.scope.actor, old, address) is None:
        raise UsageError(expected="your password of now", got="another one", todo="type it again")
    visit.desk.people.set_password(visit.scope.actor, new, scope=visit.scope)
    return visit.see("/sign-in", visit.words("Your password is changed; sign in again"))
