"""The door as middleware: every request to the open interfaces is admitted or refused before a router sees it.

A router finds what may be seen with `view_of(request)`. Pure ASGI, because Starlette's BaseHTTPMiddleware would hold
streamed downloads in memory.
"""

import time

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from device_manager.errors import StoreError
from device_manager.twin.admitting import Admitted, Door, Refused
from device_manager.twin.public import Grain, View

_KEY = "citynode.admitted"


class Admission:
    """Asks the door for every HTTP request."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        came = HTTPConnection(scope)
        address = came.client.host if came.client else ""
        try:
            answer = await run_in_threadpool(
                self._door.admit, came.headers.get("authorization"), address, time.monotonic()
            )
        except StoreError:
            answer = Refused(503, "the store cannot be read at the moment; try again", {"Retry-After": "5"})
        if isinstance(answer, Refused):
            body = {"code": answer.status, "type": "error", "message": answer.message}
            await JSONResponse(body, answer.status, dict(answer.headers))(scope, receive, send)
            return
        scope[_KEY] = answer
        await self._app(scope, receive, send)


def view_of(request: Request) -> View:
    """Return what whoever sent a request may see."""
    admitted = request.scope[_KEY]
    assert isinstance(admitted, Admitted)  # the middleware stands before every router
    return admitted.view


def grain_of(request: Request) -> Grain:
    """Return what everybody may see, whoever sent the request."""
    return view_of(request).grain
