"""One request as pages see it: who asks, in which language, and what goes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from device_manager.errors import UsageError
from device_manager.front_desk import FrontDesk
from device_manager.scopes import ADMIN, VIEWER, Scope
from device_manager.web.words import Words

HERE = Path(__file__).parent
SAID = "citynode_said"
LOOK = "citynode_look"
PAGES = (
    ("/", "Map", VIEWER),
    ("/nodes", "Nodes", VIEWER),
    ("/alerts", "Alerts", VIEWER),
    ("/releases", "Releases", VIEWER),
    ("/rollouts", "Rollouts", VIEWER),
    ("/bench", "Bench", VIEWER),
    ("/audit", "Audit log", VIEWER),
    ("/people", "People", ADMIN),
)
THEMES = ("auto", "light", "dark")


@cache
def templates() -> Environment:
    """Return the templates; every value is escaped."""
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    found.filters["code"] = code
    return found


def code(text: str) -> Markup:
    """Return a text with what stands between backticks as code; everything is escaped."""
    pieces = [escape(piece) for piece in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if at % 2 else piece for at, piece in enumerate(pieces)
    )


@cache
def stamp(name: str) -> str:
    """Return the path of a static file with its content's hash, so that browsers may keep it for ever."""
    digest = sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?{digest}"


@dataclass
class Visit:
    """One request. `signed_in` is False for whoever looks without being known; `form` is empty for GET."""

    request: Request
    desk: FrontDesk
    scope: Scope
    words: Words
    theme: str
    form_token: str
    signed_in: bool
    form: FormData = field(default_factory=FormData)

    @property
    def path(self) -> Mapping[str, str]:
        """Values of the path's parameters."""
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        """Values of the query."""
        return self.request.query_params

    def pages(self) -> list[tuple[str, str]]:
        """Return the pages that this visitor may see: path and name."""
        return [(path, name) for path, name, role in PAGES if self.scope.may(role)]

    def field(self, name: str, longest: int = 200) -> str:
        """Return a text of the form, "" when it is not there; cut at `longest`."""
        value = self.form.get(name, "")
        return value.strip()[:longest] if isinstance(value, str) else ""

    def fields(self, name: str) -> list[str]:
        """Return all texts of that name."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Return a page; what the last action said is shown once."""
        said = unquote(self.request.cookies.get(SAID, ""))[:300]
        known = {
            "visit": self, "_": self.words, "scope": self.scope, "said": said, "stamp": stamp,
            "here": self.request.url.path, "fleet": self.desk.settings.name,
        }  # fmt: skip
        html = templates().get_template(template).render(**known, **values)
        response = HTMLResponse(html, status)
        if said:
            response.delete_cookie(SAID)
        return response

    def fragment(self, template: str, **values: Any) -> Response:
        """Return a piece of a page that is shown in place; 304 when the browser has it already."""
        html = templates().get_template(template).render(visit=self, _=self.words, scope=self.scope, **values)
        tag = f'"{sha256(html.encode()).hexdigest()[:24]}"'
        if self.request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        return HTMLResponse(html, headers={"etag": tag})

    def see(self, url: str, said: str = "") -> Response:
        """Send the browser to a page of ours after a change, with what to say there."""
        response = RedirectResponse(local(url), 303)
        if said:
            response.set_cookie(SAID, quote(said), max_age=60, httponly=True, samesite="lax")
        return response


def number(text: str, what: str) -> int:
    """Return the number of `what` that a form or a path names; UsageError for another text."""
    if not text.isdecimal() or len(text) > 9:
        raise UsageError(expected=f"the number of {what}", got=repr(text[:40]), todo="load the page again")
    return int(text)


def local(url: str) -> str:
    """Return `url` when it is a path of ours, else "/": nobody is sent elsewhere."""
    fine = url.startswith("/") and not url.startswith("//") and "\\" not in url and url.isprintable()
    return url if fine else "/"
