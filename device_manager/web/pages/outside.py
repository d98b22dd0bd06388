"""Signing in with the provider of `[oidc]`: going there, and coming back.

What belongs to the attempt is kept by the browser in a cookie that no script and no other site reads, for ten minutes
and one return. A return without it, or with another state, begins nothing: nobody is signed in by another's link.
"""

import base64
import hmac
import json
import time
from typing import TypeGuard

from starlette.responses import RedirectResponse, Response

from device_manager.errors import CitynodeError, UsageError
from device_manager.people.outside import Asked, Mapping, Provider, name_of, role_of
from device_manager.scopes import ROLES
from device_manager.web.pages import signing
from device_manager.web.visit import Visit, local

ATTEMPT, PLACE = "citynode_attempt", "/sign-in"
LASTS_S = 600


def leave(visit: Visit) -> Response:
    """Send the browser to the provider; the form for a password again when that is away."""
    next_page = local(visit.query.get("next", "/"))
    try:
        provider = _provider(visit)
        asked = provider.ask()
        response = RedirectResponse(provider.address(asked), 303)
    except CitynodeError as error:
        return signing.ask(visit, next_page, 502, wrong=visit.words.sentence(str(error)))
    kept = base64.urlsafe_b64encode(json.dumps([*asked, next_page]).encode()).decode()
    secure = visit.desk.settings.web.address.startswith("https://")
    response.set_cookie(ATTEMPT, kept, LASTS_S, path=PLACE, httponly=True, samesite="lax", secure=secure)
    return response


def back(visit: Visit) -> Response:
    """Begin a session for whom the provider names, by the role that it gives; else say why not."""
    next_page = "/"
    try:
        *asked, next_page = _attempt(visit)
        response = _begin(visit, Asked(*asked), local(next_page))
    except CitynodeError as error:
        response = signing.ask(visit, local(next_page), 403, wrong=visit.words.sentence(str(error)))
    response.delete_cookie(ATTEMPT, path=PLACE)
    return response


def _begin(visit: Visit, asked: Asked, next_page: str) -> Response:
    if refused := visit.query.get("error"):
        raise UsageError(expected="the provider to agree", got=repr(refused[:80]), todo="sign in again")
    settings = visit.desk.settings.oidc
    claims = _provider(visit).claims(visit.query.get("code", ""), asked, time.time())
    name = name_of(claims, settings.name)
    values = {role: value for role in ROLES if (value := getattr(settings, role))}
    role = role_of(claims, Mapping(settings.claim, values))
    if role is None:
        got = f"{name or 'somebody'}, who is in none of its groups"
        raise UsageError(expected="somebody with a role in this fleet", got=got, todo="ask an admin for one")
    return signing.begin(visit, visit.desk.people.sign_in_outside(name, role), next_page)


def _attempt(visit: Visit) -> list[str]:
    """Return [state, nonce, verifier, next page] of the attempt that came back; UsageError when there is none."""
    kept: object
    try:
        kept = json.loads(base64.urlsafe_b64decode(visit.request.cookies.get(ATTEMPT, "")))
    except ValueError:
        kept = None
    given = visit.query.get("state", "")
    if not _is_attempt(kept) or not hmac.compare_digest(kept[0].encode(), given.encode()):
        raise UsageError(expected="an attempt that began here", got="another one", todo="sign in again")
    return kept


def _is_attempt(kept: object) -> TypeGuard[list[str]]:
    return isinstance(kept, list) and len(kept) == 4 and all(isinstance(text, str) for text in kept)


def _provider(visit: Visit) -> Provider:
    if visit.desk.provider is None:
        raise UsageError(expected="a provider in the settings", got="none", todo="sign in with a password")
    return visit.desk.provider
