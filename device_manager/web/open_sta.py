"""Routes of the SensorThings API: GET and HEAD of everything below /v1.1."""

import logging
import time
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from device_manager.errors import StoreError
from device_manager.twin.evaluation.budget import Budget
from device_manager.twin.public import View
from device_manager.web.open_access import view_of
from device_manager.web.open_desks import Busy, Desks

log = logging.getLogger("citynode.twin")
VERSION = "v1.1"
LONGEST_QUERY = 16_000


def routes(desks: Desks) -> list[Route]:
    """Return the routes; requests are answered at desks, off the event loop."""

    def answered(path: str, query: str, base: str, view: View) -> Response:
        pairs = parse_qsl(query, keep_blank_values=True)
        try:
            with desks.take() as twin:
                answer = twin.answer(path, pairs, base, time.time(), Budget(clock=time.monotonic), view)
        except Busy:
            raise
        except StoreError as error:
            log.warning("could not answer %s: %s", path, error)
            return refused(503, "the store cannot be read at the moment; try again")
        except Exception:
            log.exception("could not answer %s?%s", path, query)
            return refused(500, "this is a fault of the server, and was noted")
        headers = {"Retry-After": "30"} if answer.status == 503 else None
        return Response(answer.body, answer.status, headers, answer.media_type)

    async def get(request: Request) -> Response:
        query = request.url.query
        if len(query) > LONGEST_QUERY:
            return refused(414, f"expected a query of at most {LONGEST_QUERY} characters, got {len(query)}")
        base = str(request.base_url) + VERSION
        return await run_in_threadpool(answered, request.path_params.get("path", ""), query, base, view_of(request))

    async def other(request: Request) -> Response:
        return refused(405, f"this service is read only: expected GET, got {request.method}", {"Allow": "GET, HEAD"})

    changing = ["POST", "PUT", "PATCH", "DELETE"]
    paths = (f"/{VERSION}", f"/{VERSION}/{{path:path}}")
    return [Route(p, get, methods=["GET"]) for p in paths] + [Route(p, other, methods=changing) for p in paths]


def refused(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error as SensorThings says it."""
    return JSONResponse({"code": status, "type": "error", "message": message}, status, headers)
