"""The dashboard against those who mean harm: each tries, and nothing comes of it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from device_manager.front_desk import FrontDesk, open_front_desk
from device_manager.scopes import ADMIN, TECHNICIAN, VIEWER
from device_manager.shadow import from_document, to_document
from device_manager.shadow.fold import replace
from device_manager.web import guard
from device_manager.web.dashboard import application
from device_manager.web.pages.signing import SESSION
from device_manager.web.routes import ROUTES
from tests.fakes.open_desk import PASSWORD, PEOPLE, fleet, furnish

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
NODE = "kempten-06"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDesk]:
    with open_front_desk(fleet(tmp_path_factory.mktemp("web"), title=SCRIPT)) as found:
        furnish(found)
        yield found


def client(desk: FrontDesk) -> TestClient:
    return TestClient(application(desk), base_url="http://127.0.0.1:8080", follow_redirects=False)


def form_token(page: str) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', page)
    assert found
    return found[1]


def signed_in(desk: FrontDesk, name: str) -> TestClient:
    browser = client(desk)
    fields = {"name": name, "password": PASSWORD, "form_token": form_token(browser.get("/sign-in").text)}
    assert browser.post("/sign-in", data=fields).status_code == 303
    return browser


def test_a_script_in_a_site_title_is_shown_as_text(desk: FrontDesk) -> None:
    browser = signed_in(desk, "vera")
    for path in ("/", "/nodes", "/nodes/kempten-01", "/map/markers"):
        page = browser.get(path).text
        assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page and "<img src=x" not in page, path
    policy = browser.get("/").headers["content-security-policy"]
    assert "script-src 'self';" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy


def test_a_script_in_what_a_node_says_of_itself_is_shown_as_text(desk: FrontDesk) -> None:
    words = f"{SCRIPT} `{SCRIPT}`"
    with closing(sqlite3.connect(desk.settings.database)) as raw:
        (kept,) = raw.execute("SELECT document FROM shadow WHERE node_id = 2").fetchone()
        shadow = from_document(kept)
        said = replace(
            shadow, firmware=words, health={**shadow.health, "last_error": words, "faults": [[words, 1]]},
            alerts=[{"kind": words, "text": words, "since_ms": 0, "last_ms": 0, "count": 1}],
            update={**shadow.update, "state": None, "reason": words, "number": 1},
        )  # fmt: skip
        raw.execute("UPDATE shadow SET document = ? WHERE node_id = 2", (to_document(said),))
        raw.commit()
    desk.changed()
    for language in ("de", "en"):
        page = signed_in(desk, "vera").get("/nodes/kempten-02", headers={"accept-language": language}).text
        assert page.count("&lt;script&gt;alert(1)") >= 5
        assert "<script>alert" not in page and "<img src=x" not in page


def test_another_sites_form_changes_nothing(desk: FrontDesk) -> None:
    browser = signed_in(desk, "toni")
    token, before = form_token(browser.get("/alerts").text), len(desk.fleet.audit.entries())
    fields = {"number": "1", "hours": "1", "reason": "quiet please"}
    attempts = (
        (fields, {}),
        ({**fields, "form_token": "0" * 64}, {}),
        ({**fields, "form_token": token}, {"origin": "http://evil.example"}),
        ({**fields, "form_token": token}, {"origin": "null"}),
        ({**fields, "form_token": token}, {"sec-fetch-site": "cross-site"}),
        ({**fields, "form_token": form_token(client(desk).get("/sign-in").text)}, {}),
    )
    for data, headers in attempts:
        assert browser.post("/alerts/silence", data=data, headers=headers).status_code == 403, headers
    assert len(desk.fleet.audit.entries()) == before and not desk.alerts.silences()
    assert browser.get("/alerts/silence", params=fields).status_code == 405  # a link does nothing


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/static/../dashboard.py",
            "/static/%2e%2e/dashboard.py",
            "/static/..%2f..%2fsettings.py",
            "/static//etc/passwd",
        ),
        *("/nodes/..%2f..%2fetc%2fpasswd", "/nodes/%2e%2e", "/static/%5c..%5croutes.py", "/nodes/%00"),
    ],
)
def test_a_path_out_of_the_house_leads_nowhere(desk: FrontDesk, path: str) -> None:
    found = signed_in(desk, "anna").get(path)
    assert found.status_code in (307, 400, 404), path
    assert "import" not in found.text and "root:" not in found.text


def test_every_page_and_action_asks_for_its_role(desk: FrontDesk) -> None:
    browsers = {role: signed_in(desk, name) for name, role in PEOPLE.items()}
    tokens = {role: form_token(browser.get("/").text) for role, browser in browsers.items()}
    order = (VIEWER, TECHNICIAN, ADMIN)
    before = len(desk.fleet.audit.entries())
    for asked in ROUTES:
        if not asked.role:
            continue
        path = asked.path.replace("{node}", NODE).replace("{number}", "1")
        for role in order[: order.index(asked.role)]:
            data = {"form_token": tokens[role], "command": "health", "name": "vera", "role": ADMIN, "node": NODE}
            answer = browsers[role].request(asked.method, path, data=data if asked.method == "POST" else None)
            assert answer.status_code == 403, (role, asked.method, path)
    assert len(desk.fleet.audit.entries()) == before


@pytest.mark.parametrize("number", ["2", "x", "-1", "9" * 30, "%3Cscript%3E"])
def test_a_rollout_that_is_not_there_is_said_and_nothing_breaks(desk: FrontDesk, number: str) -> None:
    page = signed_in(desk, "anna").get(f"/rollouts/{number}")
    assert page.status_code == 400 and "the number of a rollout" in page.text and "<script>" not in page.text


def test_a_stranger_sees_the_sign_in_page_and_nothing_else(desk: FrontDesk) -> None:
    browser = client(desk)
    for asked in ROUTES:
        answer = browser.request(asked.method, asked.path.replace("{node}", NODE))
        if asked.role:
            assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in"), asked.path
    assert "kempten-01" not in browser.get("/nothing").text


def test_ten_megabytes_are_refused_unread(desk: FrontDesk) -> None:
    browser = signed_in(desk, "anna")
    big = b"form_token=" + b"x" * 10_000_000
    assert browser.post("/people/add", content=big).status_code == 413

    def in_pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 100_000

    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert browser.post("/people/add", content=in_pieces(), headers=kind).status_code == 413
    many = "&".join(f"f{i}=" for i in range(guard.MOST_FIELDS + 1000))
    assert browser.post("/people/add", content=many, headers=kind).status_code in (400, 403)
    parts = "--b\r\nContent-Disposition: form-data; name=x; filename=y\r\n\r\nz\r\n--b--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=b"}
    assert browser.post("/people/add", content=parts, headers=kind).status_code in (400, 403)


def test_a_planted_session_is_worth_nothing_after_signing_in(desk: FrontDesk) -> None:
    browser = client(desk)
    browser.cookies.set(SESSION, "planted-by-an-attacker")
    fields = {"name": "anna", "password": PASSWORD, "form_token": form_token(browser.get("/sign-in").text)}
    answer = browser.post("/sign-in", data=fields)
    given = answer.headers["set-cookie"]
    assert "planted" not in given and "HttpOnly" in given and "SameSite=lax" in given
    attacker = client(desk)
    attacker.cookies.set(SESSION, "planted-by-an-attacker")
    assert attacker.get("/people").status_code == 303


def test_signing_in_ends_the_session_that_was_there_and_signing_out_the_present(desk: FrontDesk) -> None:
    browser = signed_in(desk, "anna")
    first = browser.cookies[SESSION]
    fields = {"name": "anna", "password": PASSWORD, "form_token": form_token(browser.get("/").text)}
    browser.post("/sign-in", data=fields)
    second = browser.cookies[SESSION]
    assert second != first and desk.people.signed_in(first) is None and desk.people.signed_in(second)
    browser.post("/sign-out", data={"form_token": form_token(browser.get("/").text)})
    assert desk.people.signed_in(second) is None


def test_nobody_is_sent_to_another_site(desk: FrontDesk) -> None:
    browser = client(desk)
    for bad in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        token = form_token(browser.get("/sign-in").text)
        answer = browser.post("/look", data={"form_token": token, "theme": "dark", "next": bad})
        assert answer.headers["location"] == "/", bad


def test_a_name_that_only_points_here_is_refused(desk: FrontDesk) -> None:
    assert client(desk).get("/sign-in", headers={"host": "rebound.evil.example"}).status_code == 400


def test_many_wrong_passwords_must_wait_even_with_the_right_one(desk: FrontDesk) -> None:
    browser = client(desk)
    token = form_token(browser.get("/sign-in").text)
    for _ in range(10):
        wrong = {"name": "vera", "password": "wrong", "form_token": token}
        assert browser.post("/sign-in", data=wrong).status_code == 403
    answer = browser.post("/sign-in", data={"name": "vera", "password": PASSWORD, "form_token": token})
    assert answer.status_code == 400 and "wait" in answer.text


def test_without_users_everybody_looks_and_nobody_changes(tmp_path: Path) -> None:
    with open_front_desk(fleet(tmp_path / "a")) as desk:
        browser = client(desk)
        page = browser.get("/nodes").text
        fields = {"form_token": form_token(page), "node": NODE, "command": "reboot"}
        assert "kempten-06" in page and 'name="node"' not in page
        assert browser.post("/list/bulk", data=fields).status_code == 403
        assert browser.get("/people").status_code == 403


def test_without_users_the_flag_opens_it_on_loopback_only(tmp_path: Path) -> None:
    with open_front_desk(fleet(tmp_path / "a", writable=True)) as desk:
        assert client(desk).get("/people").status_code == 200
    with open_front_desk(fleet(tmp_path / "b", writable=True, host="0.0.0.0")) as desk:
        assert client(desk).get("/nodes").status_code == 303


def test_behind_tls_the_session_never_leaves_it(tmp_path: Path) -> None:
    with open_front_desk(fleet(tmp_path / "a", address="https://sensors.example.org")) as desk:
        furnish(desk)
        browser = client(desk)
        fields = {"name": "vera", "password": PASSWORD, "form_token": form_token(browser.get("/sign-in").text)}
        assert "Secure" in browser.post("/sign-in", data=fields).headers["set-cookie"]
        assert browser.get("/sign-in", headers={"host": "sensors.example.org"}).status_code == 200
