"""What stands before every page: size, host, headers, and whether a form came from us.

Limit      no body above MOST_BYTES: 413, before anything reads it
Headers    a content security policy without inline scripts, and the rest that browsers obey
same_origin, checked_form    against other sites' forms (CSRF): the browser's word, and the session's form token
"""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import FormData, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse

MOST_BYTES = 256 * 1024
MOST_FIELDS = 3000
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class _TooLarge(Exception):
    """The body is longer than it may be."""


class Limit:
    """Refuses bodies above MOST_BYTES, by what they say and by what they are."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        said = dict(scope["headers"]).get(b"content-length", b"0")
        refused = PlainTextResponse(f"expected at most {MOST_BYTES} bytes, got more", 413, {"connection": "close"})
        if not said.isdigit() or int(said) > MOST_BYTES:
            return await refused(scope, receive, send)
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MOST_BYTES:
                raise _TooLarge
            return message

        try:
            await self._app(scope, counted, send)
        except _TooLarge:
            await refused(scope, receive, send)


class Headers:
    """Adds what browsers shall obey; `images` is where tiles come from, "" for nowhere else."""

    def __init__(self, app: App, images: str = "") -> None:
        self._app = app
        policy = (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: {images};"
            " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        self._always = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=()",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        kept = scope.get("path", "").startswith("/static/")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._always.items():
                    headers[name] = value
                if kept and message["status"] != 200:
                    headers["cache-control"] = "no-store"
                else:
                    headers["cache-control"] = "public, max-age=31536000, immutable" if kept else "no-store"
            await send(message)

        await self._app(scope, receive, with_headers)


def same_origin(request: Request) -> bool:
    """True unless the browser says that another site sent the request; who says nothing is no browser."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    if site not in ("same-origin", "none") or origin == "null":
        return False
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


async def checked_form(request: Request, form_token: str) -> FormData | None:
    """Return the form, None when it does not carry the session's token or has too many fields."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS, max_part_size=MOST_BYTES)
    given = form.get("form_token", "")
    fine = isinstance(given, str) and hmac.compare_digest(given.encode(), form_token.encode())
    return form if fine else None
