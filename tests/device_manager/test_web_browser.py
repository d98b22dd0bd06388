"""The dashboard in a real browser: Debian's Chromium, headless. One server and one browser for all of them.

Every page is opened on a desk and on a phone, light and dark, in German and English: its picture is kept (pytest prints
where with -s; CITYNODE_SHOTS names another place), axe-core looks for serious violations, and the console stays silent.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from device_manager.front_desk import FrontDesk
from device_manager.scopes import Scope
from tests.conftest import ROOT
from tests.fakes.open_desk import CANARY, FINDING, PASSWORD, fleet, served
from tests.fakes.painted_fleet import FAULTY, name_of

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
NODE = name_of(FAULTY)
PAGES = (
    "/",
    "/nodes",
    f"/nodes/{NODE}",
    "/alerts",
    "/releases",
    "/rollouts",
    "/rollouts/1",
    "/bench",
    "/audit",
    "/people",
    "/me",
)
DESK, PHONE = {"width": 1380, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 120_000


class Visitor:
    """A browser window of one person; everything that its console says is an error here."""

    def __init__(self, browser: Browser, address: str, **choices: Any) -> None:
        self.context = browser.new_context(base_url=address, **{"locale": "en-GB", "viewport": DESK, **choices})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def sign_in(self, name: str) -> Page:
        self.page.goto("/sign-in")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label(re.compile("^(Password|Passwort)$")).fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/")
        return self.page


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FrontDesk, Browser, str, Path]]:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    shots = Path(os.environ.get("CITYNODE_SHOTS") or tmp_path_factory.mktemp("shots"))
    chromium = shutil.which("chromium")
    assert chromium, "expected chromium on PATH: apt-get install chromium"
    with served(fleet(tmp_path_factory.mktemp("browser"), port)) as desk, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        print(f"pictures are in {shots}")
        yield desk, browser, f"http://127.0.0.1:{port}", shots
        browser.close()


@pytest.fixture
def visit(house: tuple[FrontDesk, Browser, str, Path]) -> Iterator[Any]:
    opened: list[Visitor] = []

    def make(**choices: Any) -> Visitor:
        opened.append(Visitor(house[1], house[2], **choices))
        return opened[-1]

    yield make
    said = [line for visitor in opened for line in visitor.said]
    for visitor in opened:
        visitor.context.close()
    assert said == []


LOOKS = [
    ("desk-light-en", {"viewport": DESK, "color_scheme": "light", "locale": "en-GB"}),
    ("phone-dark-de", {"viewport": PHONE, "color_scheme": "dark", "locale": "de-DE", "has_touch": True}),
]


@pytest.mark.parametrize(("look", "choices"), LOOKS, ids=[look for look, _ in LOOKS])
def test_every_page_is_seen_and_axe_finds_nothing_serious(house: Any, visit: Any, look: str, choices: Any) -> None:
    visitor, shots = visit(**choices), house[3]
    visitor.page.goto("/sign-in")
    found = {"/sign-in": serious(visitor.page)}
    visitor.page.screenshot(path=shots / f"{look}-sign-in.png")
    page = visitor.sign_in("anna") if "en" in choices["locale"] else sign_in_german(visitor)
    for path in PAGES:
        page.goto(path)
        page.wait_for_load_state("load")
        page.screenshot(path=shots / f"{look}-{path.strip('/').replace('/', '-') or 'map'}.png", full_page=True)
        if look == "desk-light-en" or path in ("/", "/nodes", f"/nodes/{NODE}", "/rollouts/1"):
            found[path] = serious(page)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{path} is wider than the {look}"
        assert page.evaluate("document.documentElement.lang") == choices["locale"][:2]
    assert found == dict.fromkeys(found, [])


def sign_in_german(visitor: Visitor) -> Page:
    visitor.page.get_by_label("Name").fill("anna")
    visitor.page.get_by_label("Passwort").fill(PASSWORD)
    visitor.page.get_by_role("button", name="Anmelden").click()
    visitor.page.wait_for_url("**/")
    return visitor.page


def serious(page: Page) -> list[str]:
    """Return what axe-core calls serious or critical, with where."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{found['id']}: {node['target']} {node['html'][:120]}"
        for found in violations
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


def test_a_technician_finds_the_faulty_node_sees_its_plot_and_silences_its_alert(house: Any, visit: Any) -> None:
    desk, page = house[0], visit().sign_in("toni")
    spot = page.locator("#markers a.faulty").filter(has=page.locator(f"title:has-text('{NODE}')"))
    expect(spot).to_have_attribute("aria-label", re.compile("Gerberstraße.*sensor fault"))
    spot.focus()
    page.keyboard.press("Enter")  # the map is reached by keyboard
    page.wait_for_url(f"**/nodes/{NODE}")
    plot = page.locator("#plot-pm2_5")
    expect(plot.locator("rect.bad title")).to_have_text("sensor fault")
    assert len(plot.locator("path.line").get_attribute("d") or "") > 1000
    page.get_by_role("link", name="has a sensor that fails").click()
    page.wait_for_url("**/alerts#alert-1")
    page.get_by_label("Reason to silence alert 1").fill("sensor is ordered")
    page.get_by_role("button", name="Silence").click()
    expect(page.get_by_role("status")).to_have_text("Alert 1 is silenced for 24 h")
    (silence,) = desk.alerts.silences()
    assert (silence.actor, silence.reason, silence.nodes) == ("toni", "sensor is ordered", (NODE,))
    page.goto("/audit")
    entry = page.get_by_role("row").filter(has_text="alert.silence").first
    expect(entry).to_contain_text("toni")
    expect(entry).to_contain_text("sensor is ordered")


def test_a_viewer_sees_the_alert_and_no_button(visit: Any) -> None:
    page = visit().sign_in("vera")
    page.goto("/alerts")
    expect(page.get_by_text("has a sensor that fails")).to_be_visible()
    assert page.get_by_role("button", name=re.compile("Silence|take care")).count() == 0
    page.goto(f"/nodes/{NODE}")
    assert page.get_by_role("button", name=re.compile("reboot|maintenance")).count() == 0
    assert page.get_by_role("link", name="People").count() == 0


def test_an_admin_approves_a_rollout_stage_and_a_viewer_cannot(house: Any, visit: Any) -> None:
    rollouts, decide = house[0].rollouts().rollouts, re.compile("Approve|Pause|Go on|End the")
    page = visit().sign_in("vera")
    page.get_by_role("link", name="Rollouts").click()
    page.get_by_role("link", name="Release 2").click()
    page.wait_for_url("**/rollouts/1")
    expect(page.get_by_role("region", name="Gate")).to_contain_text(FINDING)
    expect(page.get_by_role("region", name="Gate").get_by_role("link", name=CANARY)).to_be_visible()
    canaries = page.get_by_role("region", name="Stages").get_by_role("listitem").first
    expect(canaries).to_contain_text(re.compile(r"rolled back\s*1\s*succeeded\s*2"))
    expect(page.get_by_role("region", name="Remarks")).to_contain_text("no session within 300 s")
    assert page.get_by_role("button", name=decide).count() == 0
    page = visit().sign_in("anna")
    page.goto("/rollouts/1")
    page.get_by_role("button", name="Approve stage 2").click()
    expect(page.get_by_role("status")).to_have_text("Rollout 1 is approved")
    assert page.get_by_role("button", name="Approve").count() == 0
    assert rollouts.show(1).approved == 1
    page.goto("/audit")
    entry = page.get_by_role("row").filter(has_text="rollout.approve").first
    expect(entry).to_contain_text("anna")


def test_what_somebody_else_decides_about_a_rollout_is_seen_without_loading(house: Any, visit: Any) -> None:
    page, rollouts = visit().sign_in("anna"), house[0].rollouts().rollouts
    page.goto("/rollouts/1")
    page.get_by_role("button", name="Pause").focus()
    rollouts.pause(1, scope=Scope("otto"))
    state = page.get_by_role("region", name="State")
    expect(state).to_contain_text("paused by otto", timeout=PATIENCE_MS)
    expect(state.get_by_role("button", name="Go on")).to_be_visible()
    rollouts.resume(1, scope=Scope("otto"))


def test_an_admin_pauses_a_rollout_resumes_it_and_ends_it(house: Any, visit: Any) -> None:
    page, rollouts = visit().sign_in("anna"), house[0].rollouts().rollouts
    page.goto("/rollouts/1")
    for button, said, state in (
        ("Pause", "Rollout 1 rests", "paused"),
        ("Go on", "Rollout 1 goes on", "running"),
        ("End the rollout", "Rollout 1 is ended", "stopped"),
    ):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("status")).to_have_text(said)
        assert rollouts.show(1).state == state
    assert page.get_by_role("region", name="State").get_by_role("button").count() == 0


def test_a_technician_sends_chosen_nodes_a_command(house: Any, visit: Any) -> None:
    page = visit(viewport=PHONE, has_touch=True).sign_in("toni")
    page.goto("/nodes?q=platz&sort=name")
    expect(page.get_by_text("5 of 12 nodes")).to_be_visible()
    for node in (name_of(1), name_of(2)):
        page.get_by_label(node).check()
    page.get_by_label("With the ticked ones").select_option("identify")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("identify was sent to 2 nodes")
    assert [order.what for node in (name_of(1), name_of(2)) for order in house[0].orders_of(node)] == ["identify"] * 2
    page.goto(f"/nodes/{name_of(1)}")
    expect(page.locator("#log")).to_contain_text("identify · waiting toni")


def test_values_are_fresh_without_loading_and_the_focus_stays(house: Any, visit: Any) -> None:
    page = visit().sign_in("vera")
    page.locator("#markers a").first.focus()
    href = page.evaluate("document.activeElement.getAttribute('href')")
    with page.expect_response(lambda answer: "/map/markers" in answer.url):
        pass
    page.wait_for_function("document.getElementById('markers').dataset.tag")
    assert page.evaluate("document.activeElement.getAttribute('href')") == href


def test_the_map_moves_by_button_and_wheel_and_comes_home(visit: Any) -> None:
    page = visit().sign_in("vera")
    box = "document.getElementById('map').getAttribute('viewBox')"
    home = page.evaluate(box)
    page.get_by_role("button", name="Closer").click()
    closer = page.evaluate(box)
    assert float(closer.split()[2]) < float(home.split()[2])
    page.locator("#map").hover()
    page.mouse.wheel(0, 300)
    page.wait_for_function(f"{box} !== '{closer}'")
    page.get_by_role("button", name="All nodes").click()
    assert page.evaluate(box).split()[2].startswith(home.split()[2].split(".")[0])


def test_the_chosen_look_stays(visit: Any) -> None:
    page = visit().sign_in("vera")
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.goto("/nodes")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("heading", name="Knoten", exact=True)).to_be_visible()


def test_an_admin_adds_a_person_who_can_sign_in(visit: Any) -> None:
    page = visit().sign_in("anna")
    page.goto("/people")
    form = page.locator("form[action='/people/add']")
    form.get_by_label("Name").fill("otto")
    form.get_by_label(re.compile("Password")).fill(PASSWORD)
    form.get_by_label("Role").select_option("technician")
    form.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_have_text("otto was added")
    expect(visit().sign_in("otto").get_by_text("technician")).to_be_visible()


def test_pages_work_without_the_internet() -> None:
    sources = [path for path in (ROOT / "device_manager" / "web").rglob("*") if path.suffix in (".html", ".js", ".css")]
    assert len(sources) > 15
    assert not [
        path.name for path in sources if re.search(r"(src|href|url\()\s*=?\s*[\"']?https?://", path.read_text())
    ]
