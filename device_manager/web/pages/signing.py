"""Signing in and out, and how one likes the pages to look."""

from starlette.responses import Response

from device_manager.people import SignedIn
from device_manager.people.sessions import LONGEST_MS
from device_manager.web.visit import LOOK, THEMES, Visit, local
from device_manager.web.words import LANGUAGES

SESSION = "citynode_session"
_YEAR_S = 31_536_000


def page(visit: Visit) -> Response:
    """Ask for name and password."""
    return ask(visit, local(visit.query.get("next", "/")))


def ask(visit: Visit, next_page: str, status: int = 200, *, wrong: str = "", name: str = "") -> Response:
    """Show the form; `wrong` says why it is shown again."""
    desk = visit.desk
    provider = desk.settings.oidc.label if desk.settings.oidc.issuer else ""
    first = not desk.people.all()
    return visit.page("sign_in.html", status, next=next_page, wrong=wrong, name=name, provider=provider, first=first)


def sign_in(visit: Visit) -> Response:
    """Begin a session, always a new one: a token that was there before ends."""
    name, password = visit.field("name").lower(), visit.form.get("password", "")
    address = visit.request.client.host if visit.request.client else ""
    signed = visit.desk.people.sign_in(name, password if isinstance(password, str) else "", address)
    next_page = local(visit.field("next") or "/")
    if signed is None:
        return ask(visit, next_page, 403, wrong=visit.words("Name or password is wrong."), name=name)
    return begin(visit, signed, next_page)


def begin(visit: Visit, signed: SignedIn, next_page: str) -> Response:
    """Give the browser its session."""
    visit.desk.people.sign_out(visit.request.cookies.get(SESSION, ""))
    response = visit.see(next_page)
    secure = visit.desk.settings.web.address.startswith("https://")
    response.set_cookie(SESSION, signed.token, max_age=LONGEST_MS // 1000, httponly=True, samesite="lax", secure=secure)
    return response


def sign_out(visit: Visit) -> Response:
    """End the session."""
    visit.desk.people.sign_out(visit.request.cookies.get(SESSION, ""))
    response = visit.see("/sign-in")
    response.delete_cookie(SESSION)
    return response


def look(visit: Visit) -> Response:
    """Keep the chosen theme and language in this browser."""
    theme, language = visit.field("theme"), visit.field("language")
    theme = theme if theme in THEMES else visit.theme
    language = language if language in LANGUAGES else visit.words.language
    response = visit.see(visit.field("next") or "/")
    response.set_cookie(LOOK, f"{theme}-{language}", max_age=_YEAR_S, httponly=True, samesite="lax")
    return response
