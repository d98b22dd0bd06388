"""`citynode twin`: accounts of consumers, exports, pushes, and a check with somebody else's client."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows

app = typer.Typer(help="Consumers: tokens, exports, pushes, check.", no_args_is_help=True, rich_markup_mode=None)
token = typer.Typer(help="Tokens: accounts of consumers.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(token, name="token")
Sites = Annotated[list[str] | None, typer.Option("--site", help="Only this site; may be given again.")]
Public = Annotated[bool, typer.Option(help="Only what everybody may see, or every reading.")]
Time = Annotated[str | None, typer.Option(help="ISO time; without a zone it is UTC.")]


@token.command("add")
def token_add(
    name: Annotated[str, typer.Argument(help="Name of the consumer, a-z, 0-9 and -; it stays for ever.")],
    site: Sites = None,
    per_minute: Annotated[int, typer.Option(help="Requests a minute.")] = 6000,
    data: Data = None,
) -> None:
    """Make a token and print it, once: only a hash of it is kept."""
    import secrets
    import time

    from device_manager import fleet, settings, twin_side

    with twin_side.accounting(settings.load(data or settings.default_directory())) as accounts:
        now_s = int(time.time())
        made = accounts.give(name, site or [], secrets.token_bytes, now_s, per_minute=per_minute, scope=fleet.local())
    print(made)


@token.command("list")
def token_list(data: Data = None, json: Json = False) -> None:
    """List accounts, revoked ones too."""
    from device_manager import settings, twin_side

    with twin_side.accounting(settings.load(data or settings.default_directory())) as accounts:
        found = accounts.all()
    rows = [
        (a.name, ",".join(sorted(a.sites)) or "all", a.per_minute, _iso(a.made_s), a.revoked_s and _iso(a.revoked_s))
        for a in found
    ]
    columns = ("name", "sites", "per minute", "made", "revoked")
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_rows(columns, rows)


@token.command("revoke")
def token_revoke(name: str, data: Data = None) -> None:
    """Take a token back; it is refused from the next request on."""
    import time

    from device_manager import fleet, settings, twin_side

    with twin_side.accounting(settings.load(data or settings.default_directory())) as accounts:
        accounts.revoke(name, int(time.time()), scope=fleet.local())
    print(f"revoked {name}")


@app.command()
def check(
    url: Annotated[str | None, typer.Option(help="Address of the service; else that of the settings.")] = None,
    token: Annotated[str | None, typer.Option(envvar="CITYNODE_TOKEN", help="Token of an account.")] = None,
    data: Data = None,
) -> None:
    """Read the running service with frost-sta-client; exit code 1 when something went wrong."""
    from device_manager import settings, twin_out

    if url is None:
        at = settings.load(data or settings.default_directory()).twin
        url = f"http://{at.host}:{at.port}/v1.1"
    found = twin_out.check(url, token)
    print_rows(("read", "went well", "got"), [(f.what, "yes" if f.ok else "NO", f.got) for f in found])
    if not all(f.ok for f in found):
        raise typer.Exit(1)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="File; for Parquet a directory with a folder a day.")],
    form: Annotated[str, typer.Option("--format", help="parquet, csv, citygml, sumo or sumo-detectors.")] = "parquet",
    site: Sites = None,
    quantity: Annotated[list[str] | None, typer.Option(help="Only this quantity; may be given again.")] = None,
    aggregate: Annotated[list[str] | None, typer.Option(help="raw, corrected, 15min, 1h, 1d, noise_day.")] = None,
    since: Time = None,
    until: Time = None,
    edge: Annotated[list[str] | None, typer.Option(help="SITE=EDGE or SITE=IN,OUT for sumo; again.")] = None,
    public: Public = True,
    data: Data = None,
) -> None:
    """Write observations to files."""
    from device_manager import fleet, settings, twin_out
    from device_manager.errors import UsageError

    if form not in twin_out.FORMS:
        raise UsageError(expected=" or ".join(twin_out.FORMS), got=form, todo="see --help")
    pairs = [text.partition("=")[::2] for text in edge or []]
    chosen = twin_out.Choice(
        frozenset(site or ()),
        frozenset(quantity or ()),
        frozenset(aggregate or ()),
        _seconds(since, 0),
        _seconds(until, 1 << 35),
    )
    at = settings.load(data or settings.default_directory())
    print(twin_out.export(at, form, out, chosen, public=public, edges=dict(pairs), scope=fleet.local()))


@app.command()
def push(
    kind: Annotated[str, typer.Argument(help="frost or ngsi-ld.")],
    url: Annotated[str, typer.Argument(help="Address of the server: FROST's with the version, as http://host/v1.1.")],
    authorization: Annotated[
        str, typer.Option(envvar="CITYNODE_PUSH_AUTHORIZATION", help="Authorization header; better by the variable.")
    ] = "",
    public: Public = True,
    data: Data = None,
) -> None:
    """Push what is new since the last push, and end; a timer calls this again."""
    from device_manager import fleet, settings, twin_out

    at = settings.load(data or settings.default_directory())
    number = twin_out.push(at, kind, url, authorization, public=public, scope=fleet.local())
    print(f"{url} has everything up to observation {number}")


def _iso(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    from device_manager.errors import UsageError

    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(expected="an ISO time", got=repr(text), todo="as 2026-03-01T10:00") from error
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
