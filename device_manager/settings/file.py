"""Reads and writes `settings.toml`; every error names the key at fault."""

import json
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from device_manager.database import parse
from device_manager.errors import SetupError
from device_manager.settings.text import TEMPLATE
from device_manager.settings.values import (
    BROKERS,
    FILE_NAME,
    GRAINS,
    TWIN,
    VERSION,
    WEB,
    BrokerSettings,
    Listening,
    OidcSettings,
    Public,
    Settings,
    Shard,
    WebSettings,
)

_TABLES = ("broker", "store", "web", "twin", "public", "shards", "oidc")
_Value = TypeVar("_Value", str, int)


def load(directory: Path) -> Settings:
    """Read and check the settings of an initialised data directory; raises SetupError that names the key at fault."""
    directory = directory.absolute()
    path = directory / FILE_NAME
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        todo = "run `citynode init` first, or name another directory with --data or CITYNODE_DATA"
        raise SetupError(expected="an initialised data directory", got=f"no {path}", todo=todo) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(expected=f"TOML in {path}", got=str(error), todo="mend the file") from error
    except OSError as error:
        todo = "check its owner and mode"
        raise SetupError(expected=f"to read {path}", got=str(error.strerror), todo=todo) from error
    return _parse(directory, document)


def save(settings: Settings) -> None:
    """Write `settings.toml` with its explanations; the directory must exist."""
    web = settings.web  # below: a JSON string without ASCII escapes is a TOML basic string
    name, url, address, tiles, credit = (
        json.dumps(text, ensure_ascii=False)
        for text in (settings.name, settings.store_url, web.address, web.tiles, web.tiles_credit)
    )
    writable = str(web.writable).lower()
    text = TEMPLATE.format(
        version=VERSION,
        name=name,
        broker=settings.broker,
        url=url,
        web=web,
        twin=settings.twin,
        public=settings.public,
        address=address,
        tiles=tiles,
        tiles_credit=credit,
        writable=writable,
        oidc={key: json.dumps(text, ensure_ascii=False) for key, text in asdict(settings.oidc).items()},
        shards="".join(f'{shard.name} = "{shard.host}:{shard.port}"\n' for shard in settings.shards),
    )
    temporary = settings.file.with_suffix(".tmp")
    temporary.touch(mode=0o600)  # the URL may hold a password
    temporary.write_text(text, "utf-8")
    temporary.replace(settings.file)


def _parse(directory: Path, document: dict[str, object]) -> Settings:
    where = directory / FILE_NAME
    version = document.pop("version", None)
    if version != VERSION or isinstance(version, bool):
        todo = "use the citynode release that wrote it, or a newer one"
        raise SetupError(expected=f"version = {VERSION} in {where}", got=f"version = {version!r}", todo=todo)
    tables = {name: _table(document, name, where) for name in _TABLES}
    broker, defaults = tables["broker"], BrokerSettings()
    settings = Settings(
        directory,
        _take(document, "name", "citynode", where),
        BrokerSettings(
            _take(broker, "broker.kind", defaults.kind, where),
            _take(broker, "broker.host", defaults.host, where),
            _take(broker, "broker.port", defaults.port, where),
            _take(broker, "broker.server_name", defaults.server_name, where),
            _take(broker, "broker.websocket_port", defaults.websocket_port, where),
        ),
        _web(tables["web"], where),
        _listening(tables["twin"], "twin", TWIN, where),
        _take(tables["store"], "store.url", "", where),
        _public(tables["public"], where),
        _shards(tables["shards"], where),
        _oidc(tables["oidc"], where),
    )
    for key in [*document, *(f"{name}.{key}" for name, table in tables.items() for key in table)]:
        raise SetupError(expected=f"only known keys in {where}", got=f"'{key}'", todo="check its spelling or remove it")
    check(settings.broker, where)
    if settings.store_url:
        parse(settings.store_url)
    return settings


def _table(document: dict[str, object], name: str, where: Path) -> dict[str, object]:
    found = document.pop(name, {})
    if not isinstance(found, dict):
        raise SetupError(expected=f"a table [{name}] in {where}", got=repr(found), todo="mend the file")
    return found


def _listening(table: dict[str, object], name: str, default: Listening, where: Path) -> Listening:
    host = _take(table, f"{name}.host", default.host, where)
    port = _take(table, f"{name}.port", default.port, where)
    if not 0 <= port <= 65535:
        _refuse(where, f"{name}.port", "0 (not served) to 65535", port)
    return Listening(host, port)


def _web(table: dict[str, object], where: Path) -> WebSettings:
    at = _listening(table, "web", WEB, where)
    texts = {name: _take(table, f"web.{name}", "", where) for name in ("address", "tiles", "tiles_credit")}
    for name, text in texts.items():
        if text and name != "tiles_credit" and not (text.startswith(("https://", "http://")) and text.isprintable()):
            _refuse(where, f"web.{name}", "a URL with https://", text)
    writable = table.pop("writable", False)
    if not isinstance(writable, bool):
        _refuse(where, "web.writable", "true or false", writable)
    return WebSettings(at.host, at.port, **texts, writable=bool(writable))


def _public(table: dict[str, object], where: Path) -> Public:
    default = Public()
    grain = _take(table, "public.grain_minutes", default.grain_minutes, where)
    least = _take(table, "public.smallest_count", default.smallest_count, where)
    requests = _take(table, "public.requests_per_minute", default.requests_per_minute, where)
    if grain not in GRAINS:
        _refuse(where, "public.grain_minutes", "0 (everything), 15, 60 or 1440", grain)
    if least < 0:
        _refuse(where, "public.smallest_count", "0 or more", least)
    if requests < 1:
        _refuse(where, "public.requests_per_minute", "1 or more", requests)
    return Public(grain, least, requests)


def _oidc(table: dict[str, object], where: Path) -> OidcSettings:
    default = OidcSettings()
    found = OidcSettings(**{key: _take(table, f"oidc.{key}", text, where) for key, text in asdict(default).items()})
    if found.issuer and not found.issuer.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        _refuse(where, "oidc.issuer", "a URL with https://", found.issuer)
    if found.issuer and not (found.client and found.name and found.claim):
        _refuse(where, "oidc.client", "client, name and claim", found.client)
    if found.issuer and not (found.viewer or found.technician or found.admin):
        _refuse(where, "oidc.viewer", "a value of the claim for at least one role", found.viewer)
    return found


def _shards(table: dict[str, object], where: Path) -> tuple[Shard, ...]:
    """Return NAME = "host:port" of each."""
    found = []
    for name in list(table):
        host, colon, port = _take(table, f"shards.{name}", "", where).rpartition(":")
        if not colon or not port.isdecimal() or not name.isidentifier():
            _refuse(where, f"shards.{name}", '"host:port", the name of letters and digits,', f"{host}{colon}{port}")
        check(BrokerSettings(host=host, port=int(port)), where)
        found.append(Shard(name, host, int(port)))
    return tuple(found)


def _take(table: dict[str, object], key: str, default: _Value, where: Path) -> _Value:
    value = table.pop(key.rpartition(".")[2], default)
    if isinstance(value, type(default)) and not isinstance(value, bool):  # True is an int, but no port
        return value
    wanted = "text" if isinstance(default, str) else "a whole number"
    raise SetupError(expected=f"{wanted} for {key} in {where}", got=repr(value), todo="mend the file")


def check(broker: BrokerSettings, where: Path) -> None:
    """Raise SetupError that names the key whose value cannot be used; `where` is the file that holds it."""
    if broker.kind not in BROKERS:
        _refuse(where, "broker.kind", " or ".join(BROKERS), broker.kind)
    if not 1 <= broker.port <= 65535:
        _refuse(where, "broker.port", "1 to 65535", broker.port)
    if not 0 <= broker.websocket_port <= 65535 or broker.websocket_port == broker.port:
        expected = "0 (not served) to 65535, and not the port of nodes,"
        _refuse(where, "broker.websocket_port", expected, broker.websocket_port)
    for key, text in (("broker.host", broker.host), ("broker.server_name", broker.server_name)):
        # Both end up in the broker's configuration, where a space or a line break would start something new.
        if not text or not all(c.isascii() and (c.isalnum() or c in ".-:") for c in text):
            _refuse(where, key, "a host name or address", text)


def _refuse(where: Path, key: str, expected: str, got: object) -> None:
    raise SetupError(expected=f"{expected} for {key} in {where}", got=repr(got), todo="mend the file")
