"""The dashboard as a process: `python -m device_manager.web.dashboard --data DIR`, started by the manager.

Who may what, in one place: ROUTES of `web.routes` name for every page and action the role that it needs, and `_answer`
asks before anything else happens. Without users it is read-only, and answers only on a loopback address.
"""

import argparse
import ipaddress
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from device_manager import settings as settings_file
from device_manager.errors import CitynodeError
from device_manager.front_desk import FrontDesk, open_front_desk
from device_manager.people.sessions import form_token
from device_manager.scopes import ADMIN, VIEWER, Forbidden, Scope
from device_manager.settings import Settings
from device_manager.web import guard
from device_manager.web.routes import ROUTES, Asked
from device_manager.web.visit import HERE, LOOK, THEMES, Visit
from device_manager.web.words import Words, choose

SESSION = "citynode_session"
GUEST = Scope("guest", VIEWER)
OPEN = Scope("guest", ADMIN)
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Door:
    """Finds out who asks, and lets them in where their role allows it."""

    def __init__(self, desk: FrontDesk) -> None:
        self._desk = desk
        self._nobody = OPEN if desk.settings.web.writable else GUEST
        self._process_token = form_token(secrets.token_urlsafe(32))  # forms of whoever is not signed in

    def visit(self, request: Request) -> tuple[Visit, bool]:
        """Return the visit, and whether this visitor may look at all."""
        token = request.cookies.get(SESSION, "")
        signed = self._desk.people.signed_in(token) if token else None
        theme, _, language = request.cookies.get(LOOK, "").partition("-")
        words = Words(choose(request.headers.get("accept-language", ""), language))
        theme = theme if theme in THEMES else "auto"
        if signed:
            return Visit(request, self._desk, signed.scope, words, theme, signed.form_token, True), True
        nobody_yet = not self._desk.people.all() and is_loopback(self._desk.settings.web.host)
        scope = self._nobody if nobody_yet else GUEST
        return Visit(request, self._desk, scope, words, theme, self._process_token, False), nobody_yet

    async def answer(self, asked: Asked, request: Request) -> Response:
        """Answer a request: known, allowed, from us, then done."""
        visit, may_look = await run_in_threadpool(self.visit, request)
        if asked.role and not may_look:
            return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", 303)
        try:
            if asked.role:
                visit.scope.require(asked.role, "do this")
            if request.method == "POST":
                form = await guard.checked_form(request, visit.form_token) if guard.same_origin(request) else None
                if form is None:
                    return visit.page(
                        "error.html",
                        403,
                        title="Not from this page",
                        text="Go back, load the page again and try once more.",
                    )
                visit.form = form
            return await run_in_threadpool(asked.handler, visit)
        except Forbidden as error:
            return await run_in_threadpool(visit.page, "error.html", 403, title="Not allowed", text=str(error))
        except CitynodeError as error:
            return await run_in_threadpool(visit.page, "error.html", 400, title="That did not work", text=str(error))
        except MultiPartException:
            return await run_in_threadpool(visit.page, "error.html", 400, title="That did not work", text="")


def is_loopback(host: str) -> bool:
    """True when nobody on another machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def application(desk: FrontDesk) -> Starlette:
    """Return the application."""
    door, web = Door(desk), desk.settings.web
    hosts = [*LOOPBACK, *([urlsplit(web.address).hostname or ""] if web.address else [])]
    tiles = urlsplit(web.tiles)
    middleware = [
        Middleware(guard.Limit),
        Middleware(guard.Headers, images=f"{tiles.scheme}://{tiles.netloc}" if web.tiles else ""),
        Middleware(GZipMiddleware, minimum_size=2000, compresslevel=4),
    ]
    if is_loopback(web.host) or web.address:  # a name that an attacker's DNS points here is not ours
        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=hosts))
    routes: list[Any] = [Route(asked.path, partial(door.answer, asked), methods=[asked.method]) for asked in ROUTES]
    routes.append(Mount("/static", StaticFiles(directory=HERE / "static")))
    missing: Callable[..., Any] = partial(_missing, door)
    return Starlette(routes=routes, middleware=middleware, exception_handlers={404: missing, 405: missing})


async def _missing(door: Door, request: Request, error: Any) -> Response:
    visit, _ = await run_in_threadpool(door.visit, request)
    return visit.page("error.html", error.status_code, title="There is no such page", text="")


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    with open_front_desk(settings) as desk:
        web = settings.web
        uvicorn.run(
            application(desk), host=web.host, port=web.port, log_level="warning",
            server_header=False, timeout_graceful_shutdown=3,
        )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the dashboard of a data directory."""
    parser = argparse.ArgumentParser(description="Serve the dashboard.")
    parser.add_argument("--data", type=Path, required=True)
    run(settings_file.load(parser.parse_args(arguments).data))


if __name__ == "__main__":
    main()
