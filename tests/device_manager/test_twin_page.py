"""The public page in a real browser: both languages, phone and desktop; no cookie, no third party, small counts hidden.

CITYNODE_SCREENSHOTS names a directory for people who want to look.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from device_manager.twin import page
from device_manager.twin.admitting import Door
from device_manager.twin.page_words import QUANTITIES, TEXTS, UNITS, language, number
from device_manager.twin.public import Grain, View
from device_manager.twin_side import open_twin
from device_manager.web.open import application
from tests.fakes.derived import Derived
from tests.fakes.open_city import NOW_S, city

CHROMIUM = "/usr/bin/chromium"
SIZES = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1280, "height": 900}}


@pytest.fixture(scope="module")
def derived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derived]:
    derived = city(tmp_path_factory.mktemp("page"), frames=150)
    derived.add_site(5, "hofgarten")
    yield derived
    derived.close()


@pytest.fixture(scope="module")
def address(derived: Derived) -> Iterator[str]:
    """The open interfaces, served by uvicorn on a free port."""
    with open_twin(derived.bench.path) as twin:
        door = Door(list, Grain(), dict)
        server = uvicorn.Server(
            uvicorn.Config(application(twin, door=door, now=lambda: NOW_S), port=0, log_level="warning")
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        limit_s = time.monotonic() + 60
        while not server.started and time.monotonic() < limit_s:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tongue", ["de", "en"])
def test_page_fits_asks_nobody_else_and_sets_no_cookie(
    browser: Browser, address: str, tongue: str, size: str, tmp_path: Path
) -> None:
    context = browser.new_context(viewport=SIZES[size])  # type: ignore[arg-type]
    tab = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    answer = tab.goto(f"{address}/?lang={tongue}", wait_until="networkidle")
    assert answer is not None
    assert answer.status == 200
    assert "set-cookie" not in answer.all_headers()
    assert context.cookies() == []
    assert asked
    assert all(url.startswith((address, "data:")) for url in asked)
    assert complaints == []
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.title() == TEXTS[tongue]["title"]
    assert "Rathausplatz" in tab.inner_text("main")
    assert tab.locator("polyline").count() > 3
    assert tab.evaluate("Object.keys(localStorage).length") == 0
    found = Axe().run(tab)
    assert found.violations_count == 0, found.generate_report()
    where = Path(os.environ.get("CITYNODE_SCREENSHOTS", tmp_path))
    picture = tab.screenshot(path=where / f"public-{tongue}-{size}.png", full_page=True)
    assert picture.startswith(b"\x89PNG")
    context.close()


@contextmanager
def embedding(body: bytes) -> Iterator[str]:
    """Serve a page of another origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_page_may_be_embedded_by_any_site(browser: Browser, address: str) -> None:
    tab = browser.new_page()
    frame = f'<iframe src="{address}/?lang=en" width="360" height="600"></iframe>'
    with embedding(frame.encode()) as city_site:
        tab.goto(city_site)
        tab.frame_locator("iframe").locator("h1").wait_for(timeout=120_000)
        assert tab.frame_locator("iframe").locator("h1").inner_text() == TEXTS["en"]["title"]
    tab.close()


def test_download_is_public_grain_and_names_its_licence(browser: Browser, address: str) -> None:
    answer = browser.new_context().request.get(f"{address}/download.csv")
    assert 'rel="license"' in answer.headers["link"]
    lines = answer.text().splitlines()
    columns = lines[0].split(",")
    rows = [dict(zip(columns, line.split(","), strict=False)) for line in lines[1:]]
    assert rows
    assert {row["aggregate"] for row in rows} == {"15min"}
    counts = [float(row["value"]) for row in rows if row["quantity"].startswith("footfall") and row["value"]]
    assert counts
    assert min(counts) >= 5
    parquet = browser.new_context().request.get(f"{address}/download.parquet")
    assert parquet.body().startswith(b"PAR1")


def test_page_shows_no_count_that_is_kept_back(derived: Derived) -> None:
    with open_twin(derived.bench.path) as twin:
        shown = page.shown(*twin.sight(View(), NOW_S), Grain(), NOW_S)
    values = {value.quantity: value for spot in shown.spots for value in spot.values}
    assert {"pm2_5", "laeq", "footfall_in"} <= set(values)
    assert all(v.low is None or v.low >= 5 for q, v in values.items() if q.startswith("footfall"))


def test_every_quantity_has_words_and_a_unit_in_both_languages() -> None:
    for tongue in ("de", "en"):
        assert set(QUANTITIES[tongue]) == set(page.QUANTITIES)
    assert set(TEXTS["de"]) == set(TEXTS["en"])
    assert "ug/m3" in UNITS
    assert language(None, "fr, en;q=0.8") == "en"
    assert language("xx", "") == "de"
    assert number(8.31, "ug/m3", "de") == "8,3 µg/m³"


def test_map_keeps_distances_and_names_them() -> None:
    points, bar, metres = page.projected([(10.3, 47.7), (10.3, 47.71)])
    assert points[0][0] == points[1][0]
    assert points[0][1] > points[1][1]  # north is up
    assert (points[0][1] - points[1][1]) / bar * metres == pytest.approx(1113, rel=0.01)
    assert page.projected([]) == ([], 0.0, 0)
