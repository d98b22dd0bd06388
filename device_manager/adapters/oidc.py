"""Signing in with an OpenID Connect provider: the authorization code flow with PKCE, state and nonce.

    provider = Provider(settings.oidc, "secret", "https://sensors.example.org/sign-in/back")
    asked = provider.ask()                 # kept by the browser that asks, in a cookie
    provider.address(asked)                # where the browser goes
    provider.claims(code, asked, now_s)    # what the provider says of who came back

HTTP by httpx, tokens by joserfc, the JOSE library of Authlib's author. Checked is what comes from outside: the issuer
of the discovery document; the ID token's signature by a key of the provider, issuer, audience, times and nonce.
Sources: OpenID Connect Core 1.0, 3.1; Discovery 1.0, 4; RFC 7636 (PKCE).
"""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from device_manager.errors import CitynodeError
from device_manager.people.outside import Asked
from device_manager.settings import OidcSettings

TIMEOUT_S, LEEWAY_S = 5.0, 60
ALGORITHMS = ["RS256", "PS256", "ES256", "Ed25519", "EdDSA"]  # a key pair each: a shared secret signs nobody in
SCOPE = "openid profile email"


class ProviderError(CitynodeError):
    """The provider's fault: it does not answer, or says what it must not."""


class Provider:
    """One provider; every call asks it anew, because people sign in rarely and keys change."""

    def __init__(self, settings: OidcSettings, secret: str, back: str, http: httpx.BaseTransport | None = None) -> None:
        """`secret` "" is a public client; `back` is where the provider sends browsers; `http` for tests."""
        self._settings, self._secret, self._back = settings, secret, back
        self._http = httpx.Client(timeout=TIMEOUT_S, transport=http)

    def ask(self) -> Asked:
        """Return a new attempt, of 256 random bits each."""
        return Asked(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(32))

    def address(self, asked: Asked) -> str:
        """Return where the browser signs in; ProviderError when the provider does not answer."""
        digest = hashlib.sha256(asked.verifier.encode()).digest()
        query = {
            "response_type": "code", "client_id": self._settings.client, "redirect_uri": self._back, "scope": SCOPE,
            "state": asked.state, "nonce": asked.nonce, "code_challenge_method": "S256",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        }  # fmt: skip
        place = self._discovered("authorization_endpoint")
        return f"{place}{'&' if '?' in place else '?'}{urlencode(query)}"

    def claims(self, code: str, asked: Asked, now_s: float) -> dict[str, Any]:
        """Return what a true ID token for this attempt says; ProviderError for any other."""
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._back,
                  "client_id": self._settings.client, "code_verifier": asked.verifier}  # fmt: skip
        if self._secret:
            fields["client_secret"] = self._secret
        answer = self._json("POST", self._discovered("token_endpoint"), data=fields)
        keys = self._json("GET", self._discovered("jwks_uri"))
        try:
            token = jwt.decode(str(answer.get("id_token")), KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]  # a document from outside; wrong ones raise
            self._checks(asked, now_s).validate(token.claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            got = f"one that is not: {type(error).__name__} {error}"
            raise ProviderError(expected="an ID token for this attempt", got=got, todo="sign in again") from error
        return token.claims

    def _checks(self, asked: Asked, now_s: float) -> JWTClaimsRegistry:
        return JWTClaimsRegistry(
            now=int(now_s), leeway=LEEWAY_S,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": self._settings.client},
            nonce={"essential": True, "value": asked.nonce},
            exp={"essential": True}, iat={"essential": True}, sub={"essential": True},
        )  # fmt: skip

    def _discovered(self, name: str) -> str:
        issuer = self._settings.issuer
        found = self._json("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer or not isinstance(found.get(name), str):
            got = f"the issuer {found.get('issuer')}, {name} {found.get(name)}"
            raise ProviderError(expected=f"the provider {issuer}", got=got, todo="correct issuer of [oidc]")
        return str(found[name])

    def _json(self, method: str, address: str, **body: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, address, headers={"accept": "application/json"}, **body)
            found = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            got = f"{type(error).__name__} from {address}"
            todo = "sign in with a password, or try again"
            raise ProviderError(expected="an answer of the sign-in provider", got=got, todo=todo) from error
        if answer.status_code != 200 or not isinstance(found, dict):
            why = found.get("error") if isinstance(found, dict) else ""
            got = f"HTTP {answer.status_code} {why or ''}".strip()
            raise ProviderError(expected="the provider to agree", got=got, todo="sign in again")
        return found
