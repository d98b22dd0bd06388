"""Signing in with an OpenID Connect provider, against a real one (oidc-provider-mock) and one that lies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from oidc_provider_mock import User, run_server_in_thread
from starlette.testclient import TestClient

from device_manager.adapters.oidc import Provider, ProviderError
from device_manager.front_desk import FrontDesk, open_front_desk
from device_manager.people.outside import Asked, Mapping, name_of, role_of
from device_manager.scopes import ADMIN, TECHNICIAN, VIEWER, Scope
from device_manager.settings import OidcSettings, load, save
from device_manager.web.dashboard import application
from tests.fakes.open_desk import PASSWORD, fleet, furnish

PEOPLE = [
    User(sub="1", claims={"preferred_username": "Tina@Stadt", "groups": ["staff", "lamp-posts"]}),
    User(sub="2", claims={"preferred_username": "eve", "groups": ["pirates"]}),
    User(sub="3", claims={"preferred_username": "anna", "groups": ["bosses"]}),
]
ISSUER, NOW_S = "https://id.example.org", 1_800_000_000
ROLES = {"viewer": "staff", "technician": "lamp-posts", "admin": "bosses"}
ASKED = Asked("state", "nonce", "verifier")


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_server_in_thread(user_claims=PEOPLE, require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDesk]:
    with open_front_desk(fleet(tmp_path_factory.mktemp("oidc"))) as desk:
        furnish(desk)
        yield desk


@pytest.fixture
def desk(furnished: FrontDesk, issuer: str) -> FrontDesk:
    furnished.__dict__.pop("provider", None)
    furnished.settings.oidc_secret.write_text("secret\n", "ascii")
    furnished.settings = replace(furnished.settings, oidc=OidcSettings(issuer, "citynode", **ROLES))
    return furnished


def browser(desk: FrontDesk) -> TestClient:
    return TestClient(application(desk), base_url="http://127.0.0.1:8080", follow_redirects=False)


def come_back(client: TestClient, who: str) -> str:
    """Go to the provider, sign in there, and return the address that it sends the browser to."""
    left = client.get("/sign-in/outside?next=/nodes")
    assert left.status_code == 303
    answer = httpx.post(left.headers["location"], data={"sub": who})
    assert answer.status_code == 302
    return str(answer.headers["location"])


def actions(desk: FrontDesk) -> list[tuple[str, str, str]]:
    return [(one.actor, one.action, one.subject) for one in desk.fleet.audit.entries(limit=3)]


def test_somebody_of_the_provider_signs_in_with_the_role_of_their_group(desk: FrontDesk) -> None:
    client = browser(desk)
    client.cookies.set("citynode_session", "planted")
    back = client.get(come_back(client, "1"))
    assert (back.status_code, back.headers["location"]) == (303, "/nodes")
    session = client.cookies.get("citynode_session", domain="127.0.0.1") or ""
    assert session != "planted"
    assert "max-age=604800" in back.headers["set-cookie"].lower() and "httponly" in back.headers["set-cookie"].lower()
    signed = desk.people.signed_in(re.search(r"citynode_session=([^;]+)", back.headers["set-cookie"])[1])  # type: ignore[index]
    assert signed and signed.scope == Scope("tina@stadt", TECHNICIAN)
    assert actions(desk)[:2] == [("tina@stadt", "person.sign_in", "tina@stadt"), ("oidc", "person.add", "tina@stadt")]
    desk.people.sign_out(signed.token)
    assert desk.people.signed_in(signed.token) is None
    assert desk.people.sign_in("tina@stadt", "outside", "") is None  # what stands for the password is none


def test_who_is_in_no_group_gets_no_access_and_a_page_that_says_so(desk: FrontDesk) -> None:
    client = browser(desk)
    back = client.get(come_back(client, "2"))
    assert back.status_code == 403
    assert "eve, who is in none of its groups" in back.text
    assert "citynode_session" not in client.cookies
    assert not any(person.name == "eve" for person in desk.people.all())


def test_the_name_of_somebody_with_a_password_here_is_not_taken(desk: FrontDesk) -> None:
    client = browser(desk)
    back = client.get(come_back(client, "3"))
    assert back.status_code == 403 and "a name that nobody has here" in back.text
    assert desk.people.sign_in("anna", PASSWORD, "") is not None


def test_a_return_with_another_state_or_of_another_browser_begins_nothing(desk: FrontDesk) -> None:
    client = browser(desk)
    address = come_back(client, "1")
    for visitor, changed in ((browser(desk), address), (client, re.sub("state=[^&]+", "state=planted", address))):
        back = visitor.get(changed)
        assert back.status_code == 403 and "an attempt that began here" in back.text
        assert "citynode_session" not in visitor.cookies
    assert client.get(address).status_code == 403  # the attempt ended with its first return


def test_a_provider_that_refuses_is_named(desk: FrontDesk) -> None:
    client = browser(desk)
    left = client.get("/sign-in/outside").headers["location"]
    state = parse_qs(urlsplit(left).query)["state"][0]
    back = client.get("/sign-in/back", params={"error": "access_denied", "state": state})
    assert back.status_code == 403 and "access_denied" in back.text


def test_password_sign_in_works_while_the_provider_is_away(desk: FrontDesk) -> None:
    desk.settings = replace(desk.settings, oidc=OidcSettings("http://127.0.0.1:9", "citynode", **ROLES))
    client = browser(desk)
    away = client.get("/sign-in/outside", headers={"accept-language": "de"})
    assert away.status_code == 502 and "eine Antwort des Anmeldedienstes" in away.text
    token = re.search(r'name="form_token" value="([0-9a-f]{64})"', away.text)
    assert token
    fields = {"name": "vera", "password": PASSWORD, "form_token": token[1]}
    assert client.post("/sign-in", data=fields).status_code == 303


def test_without_settings_there_is_no_provider(desk: FrontDesk) -> None:
    desk.settings = replace(desk.settings, oidc=OidcSettings())
    client = browser(desk)
    assert "/sign-in/outside" not in client.get("/sign-in").text
    assert client.get("/sign-in/outside").status_code == 502
    assert client.get("/sign-in/back").status_code == 403


KEY, OTHER_KEY = RSAKey.generate_key(2048, {"kid": "a"}), RSAKey.generate_key(2048, {"kid": "a"})
TRUE = {
    "iss": ISSUER,
    "aud": "citynode",
    "sub": "1",
    "nonce": "nonce",
    "iat": NOW_S,
    "exp": NOW_S + 300,
    "name": "tina",
}


def liar(claims: dict[str, Any], key: RSAKey = KEY, algorithm: str = "RS256") -> Provider:
    """Return a provider that answers with such an ID token."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("openid-configuration"):
            return httpx.Response(
                200, json={"issuer": ISSUER, "token_endpoint": f"{ISSUER}/t", "jwks_uri": f"{ISSUER}/k"}
            )
        if request.url.path == "/k":
            return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})
        assert b"code_verifier=verifier" in request.content
        return httpx.Response(200, json={"id_token": jwt.encode({"alg": algorithm, "kid": "a"}, claims, key)})

    return Provider(OidcSettings(ISSUER, "citynode"), "", "http://here/sign-in/back", httpx.MockTransport(answer))


def test_a_true_token_is_taken() -> None:
    assert liar(TRUE).claims("code", ASKED, NOW_S)["sub"] == "1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"aud": "another-client"}, "aud"),
        ({"iss": "https://evil.example.org"}, "iss"),
        ({"exp": NOW_S - 61}, "exp"),
        ({"iat": NOW_S + 3600}, "future"),
    ],
)
def test_a_token_for_another_purpose_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ProviderError, match=words):
        liar({**TRUE, **change}).claims("code", ASKED, NOW_S)


@pytest.mark.parametrize("missing", ["nonce", "aud", "iss", "exp", "iat", "sub"])
def test_a_token_that_does_not_say_all_is_refused(missing: str) -> None:
    with pytest.raises(ProviderError, match=missing):
        liar({name: value for name, value in TRUE.items() if name != missing}).claims("code", ASKED, NOW_S)


def test_a_token_that_another_signed_is_refused() -> None:
    with pytest.raises(ProviderError, match="signature"):
        liar(TRUE, OTHER_KEY).claims("code", ASKED, NOW_S)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"realm_access": {"roles": ["staff", "bosses"]}}, ADMIN),
        ({"realm_access": {"roles": "staff openid"}}, VIEWER),
        ({"realm_access": {"roles": ["Bosses", 7]}}, None),
        ({"realm_access": ["bosses"]}, None),
        ({"roles": ["bosses"]}, None),
    ],
)
def test_the_claim_gives_the_highest_role_that_is_mapped(claims: dict[str, Any], role: str | None) -> None:
    assert role_of(claims, Mapping("realm_access.roles", ROLES)) == role


def test_an_unmapped_role_is_given_to_nobody() -> None:
    assert role_of({"groups": ["", "x"]}, Mapping("groups", {"admin": "bosses"})) is None
    assert (name_of({"n": " Ünal K. "}, "n"), name_of({"n": 7}, "n")) == ("nal-k", "")


def test_settings_are_kept_and_checked(tmp_path: Path, desk: FrontDesk) -> None:
    wanted = OidcSettings(ISSUER, "citynode", 'Stadt "Kempten"', claim="realm_access.roles", admin="bosses")
    save(replace(desk.settings, directory=tmp_path, oidc=wanted))
    assert load(tmp_path).oidc == wanted
    for wrong in (
        replace(wanted, issuer="http://id.example.org"),
        replace(wanted, client=""),
        replace(wanted, admin=""),
    ):
        save(replace(desk.settings, directory=tmp_path, oidc=wrong))
        with pytest.raises(Exception, match=r"oidc\."):
            load(tmp_path)
