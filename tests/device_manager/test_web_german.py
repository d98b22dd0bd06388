"""No page shows a German reader English of ours: every page is walked twice, and what is the same in both is data."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from starlette.testclient import TestClient

from device_manager.front_desk import FrontDesk, open_front_desk
from device_manager.web.routes import ROUTES
from device_manager.web.words import german
from tests.conftest import ROOT
from tests.fakes.open_desk import PASSWORD, PEOPLE, fleet, furnish
from tests.fakes.painted_fleet import FAULTY, name_of

WEB = ROOT / "device_manager" / "web"
NODE = name_of(FAULTY)
SHOWN = {"title", "aria-label", "placeholder", "alt", "label", "data-done"}  # attributes that people read or hear
PAGES = ["/nodes/nobody", "/rollouts/99", "/rollouts/x", "/alerts?all=1", "/nodes?q=zzz", "/nodes?page=99", "/nowhere"]
ACTIONS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/alerts/silence", {"number": "1", "hours": "0", "reason": ""}),
    ("/alerts/silence", {"number": "1", "hours": "2", "reason": ""}),
    ("/alerts/acknowledge", {"number": "77"}),
    ("/alerts/end-silence", {"number": "77"}),
    ("/list/bulk", {"command": "identify"}),
    (f"/nodes/{NODE}/command", {"name": "explode"}),
    (f"/nodes/{NODE}/visit", {"note": ""}),
    (f"/nodes/{NODE}/maintenance", {"minutes": "9999", "reason": "x"}),
    ("/people/add", {"name": "A B", "password": PASSWORD, "role": "viewer"}),
    ("/people/add", {"name": "vera", "password": PASSWORD, "role": "viewer"}),
    ("/people/add", {"name": "otto", "password": "short", "role": "viewer"}),
    ("/people/remove", {"name": "anna"}),
    ("/me/password", {"old": "wrong", "new": PASSWORD}),
    ("/rollouts/1/approve", {}),
)
DATA = re.compile(
    r"[\d\W]*|[-\d.,]+ [\w/³°%]{1,5}|\S+ [\d.,]+( s)?|h|min|hPa|LA\w+|dB|dB\(A\)|°C|µg/m³"
    r"|anna|test|demo|air|gate|Kempten|kempten-\d+|[a-z]+\.[a-z_]+|\{.*\}|citynode .*|NODE|self-test|[0-9a-f:]{17}"
)
"""What stands for itself: numbers and their units, ids, actions of the audit log and what they changed, commands."""
PIECES = re.compile(" · |, |: ")


class Texts(HTMLParser):
    """Collects what people read."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._inside.append(tag)
        self.found += [value for name, value in attributes if name in SHOWN and value]

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass  # elements without an end

    def handle_data(self, data: str) -> None:
        if not {"script", "style", "pre", "code"} & set(self._inside):
            self.found.append(" ".join(data.split()))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDesk]:
    with open_front_desk(fleet(tmp_path_factory.mktemp("german"))) as found:
        furnish(found)
        yield found


def reader(desk: FrontDesk, language: str, name: str = "anna") -> TestClient:
    """Return a browser of that language, signed in."""
    from device_manager.web.dashboard import application

    browser = TestClient(application(desk), base_url="http://127.0.0.1:8080", headers={"accept-language": language})
    fields = {"name": name, "password": PASSWORD, "form_token": token(browser)}
    assert browser.post("/sign-in", data=fields).status_code == 200
    return browser


def token(browser: TestClient, path: str = "/sign-in") -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', browser.get(path).text)
    assert found
    return found[1]


def pages(desk: FrontDesk) -> list[str]:
    """Return every address of a page that ROUTES knows, and addresses that lead to errors."""
    known = [asked.path for asked in ROUTES if asked.method == "GET" and not asked.path.startswith("/plot")]
    filled = [path.replace("{node}", NODE).replace("{number}", "1").replace("{rollout}", "1") for path in known]
    return [path for path in filled if "{" not in path] + PAGES


def names(desk: FrontDesk) -> set[str]:
    """Return what people have named."""
    districts = set(tomllib.loads((WEB / "city.toml").read_text("utf-8"))["districts"])
    sites = {text for site in desk.fleet.registry.sites() for text in (site.title, site.name, site.district)}
    return sites | districts | set(PEOPLE)


def untranslated(german_page: str, english_page: str, known: set[str]) -> set[str]:
    """Return texts that are the same for both, and neither data nor the same word in both languages."""
    said, meant = set(Texts(english_page).found), known | set(german().values())
    same = [text for text in Texts(german_page).found if text in said]
    return {text for text in same if not all(piece in meant or DATA.fullmatch(piece) for piece in PIECES.split(text))}


def test_no_page_shows_a_german_reader_english_of_ours(desk: FrontDesk) -> None:
    browsers: dict[str, Any] = {language: reader(desk, language) for language in ("de", "en")}
    known, found = names(desk), {}
    for path in pages(desk):
        shown = {language: browser.get(path).text for language, browser in browsers.items()}
        if left := untranslated(shown["de"], shown["en"], known):
            found[path] = left
    assert found == {}, found


def test_no_error_shows_a_german_reader_english_of_ours(desk: FrontDesk) -> None:
    found = {}
    for who in ("anna", "vera"):
        browsers = {language: reader(desk, language, who) for language in ("de", "en")}
        tokens = {language: token(browser, "/") for language, browser in browsers.items()}
        for path, fields in ACTIONS:
            shown = {language: browser.post(path, data={**fields, "form_token": tokens[language]}).text
                     for language, browser in browsers.items()}  # fmt: skip
            if left := untranslated(shown["de"], shown["en"], names(desk)):
                found[who, path] = left
    assert found == {}
