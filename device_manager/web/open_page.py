"""The public page and its downloads: no cookie, no script, nothing from elsewhere; any site may embed it."""

import io
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import jinja2
import pyarrow.parquet as pq
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from device_manager.twin import page, page_words
from device_manager.twin.catalogue import Catalogue
from device_manager.twin.export import files
from device_manager.twin.export.table import table
from device_manager.twin.observations import joined
from device_manager.twin.ports import Terms
from device_manager.twin.public import MINUTES, Grain, View
from device_manager.twin.service import Twin
from device_manager.twin.sources import Observed
from device_manager.web.open_access import grain_of
from device_manager.web.open_desks import Desks

CACHE_S = 60.0
DOWNLOAD_S = 7 * 86_400
_HERE = Path(__file__).parent
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors *",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": f"public, max-age={CACHE_S:.0f}",
}


def routes(desks: Desks, now: Callable[[], float]) -> list[Route]:
    """Return the routes; what they give is made once a minute, whoever asks. `now` is Unix time."""
    template = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(
        (_HERE / "public_page.html").read_text("utf-8")
    )
    style = (_HERE / "public_page.css").read_bytes()
    kept: dict[tuple[str, Grain], tuple[float, bytes]] = {}
    lock = threading.Lock()

    def once_a_minute(name: str, grain: Grain, make: Callable[[Twin], bytes]) -> bytes:
        with lock:
            made = kept.get((name, grain))
            if made is None or time.monotonic() - made[0] > CACHE_S:
                with desks.take() as twin:
                    made = kept[name, grain] = time.monotonic(), make(twin)
            return made[1]

    def written(twin: Twin, tongue: str, grain: Grain) -> bytes:
        now_s = int(now())
        shown = page.shown(*twin.sight(View(grain), now_s), grain, now_s)
        return template.render(**_said(shown, tongue, grain)).encode()

    async def get_page(request: Request) -> Response:
        accepted = request.headers.get("accept-language", "")
        tongue, grain = page_words.language(request.query_params.get("lang"), accepted), grain_of(request)
        body = await run_in_threadpool(once_a_minute, tongue, grain, lambda twin: written(twin, tongue, grain))
        return Response(body, media_type="text/html", headers={**_HEADERS, "Vary": "Accept-Language"})

    async def get_style(request: Request) -> Response:
        return Response(style, media_type="text/css", headers=_HEADERS)

    async def download(request: Request) -> Response:
        form, grain = request.path_params["form"], grain_of(request)
        make = {"csv": _csv, "parquet": _parquet}.get(form)
        if make is None:
            return Response("expected download.csv or download.parquet", 404)
        body = await run_in_threadpool(once_a_minute, form, grain, lambda twin: make(twin, grain, int(now())))
        headers = {**_HEADERS, "Link": f'<{Terms().licence_url}>; rel="license"'}
        headers["Content-Disposition"] = f'attachment; filename="citynode.{form}"'
        kind = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}[form]
        return Response(body, media_type=kind, headers=headers)

    return [Route("/", get_page), Route("/page.css", get_style), Route("/download.{form}", download)]


def _said(shown: page.Shown, tongue: str, grain: Grain) -> dict[str, object]:
    """Return what the template needs."""
    texts = page_words.TEXTS[tongue]
    privacy = texts["privacy" if grain.minutes else "privacy_all"]
    return {
        "t": texts,
        "tongue": tongue,
        "other": "en" if tongue == "de" else "de",
        "shown": shown,
        "quantities": page_words.QUANTITIES[tongue],
        "number": lambda value, unit: page_words.number(value, unit, tongue),
        "lasting": lambda minutes: page_words.lasting(minutes, tongue),
        "local": lambda time_s, zone: datetime.fromtimestamp(time_s, ZoneInfo(zone)).strftime("%d.%m. %H:%M"),
        "privacy": privacy.format(minutes=grain.minutes, least=grain.smallest_count),
        "licence": Terms().licence,
        "licence_url": Terms().licence_url,
    }


def _wanted(twin: Twin, grain: Grain, now_s: int) -> tuple[Catalogue, Observed, files.Wanted]:
    catalogue, observed, _ = twin.sight(View(grain), now_s)
    finest = next(name for name, minutes in MINUTES.items() if minutes >= grain.minutes)
    streams = [s for s in catalogue.streams.values() if s.aggregate == finest]
    return catalogue, observed, files.Wanted(streams, now_s - DOWNLOAD_S, now_s)


def _csv(twin: Twin, grain: Grain, now_s: int) -> bytes:
    return "".join(files.csv_text(*_wanted(twin, grain, now_s))).encode()


def _parquet(twin: Twin, grain: Grain, now_s: int) -> bytes:
    catalogue, observed, wanted = _wanted(twin, grain, now_s)
    rows = joined([part for _, part in files.days(catalogue, observed, wanted)])
    out = io.BytesIO()
    pq.write_table(table(catalogue, rows, Terms()._asdict()), out, compression="zstd")
    return out.getvalue()
