"""Composition root of what leaves the house on somebody's word: exports, pushes, a check with a stock client."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from device_manager.adapters.push_httpx import HttpExchange
from device_manager.adapters.store_cursors import SqlCursors
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.twin_check import check
from device_manager.errors import UsageError
from device_manager.scopes import ADMIN, VIEWER, Scope
from device_manager.settings import Settings
from device_manager.twin.catalogue import Catalogue, Stream
from device_manager.twin.export import citygml, files, sumo
from device_manager.twin.observations import by_time
from device_manager.twin.ports import Terms
from device_manager.twin.public import FULL, Grain, View
from device_manager.twin.push.frost import Frost
from device_manager.twin.push.ngsi import Ngsi
from device_manager.twin_side import auditing, open_twin

__all__ = ["Choice", "check", "export", "push", "view_of"]
FORMS = ("parquet", "csv", "citygml", "sumo")
KINDS = ("frost", "ngsi-ld")


class Choice(NamedTuple):
    """What is exported: names of sites, quantities and aggregates (none: all), begins in [since_s, until_s)."""

    sites: frozenset[str]
    quantities: frozenset[str]
    aggregates: frozenset[str]
    since_s: int
    until_s: int


def view_of(settings: Settings, *, public: bool) -> View:
    """Return what leaves: all, or what everybody may see."""
    grain = Grain(settings.public.grain_minutes, settings.public.smallest_count)
    return View(grain) if public else FULL


def export(
    settings: Settings,
    form: str,
    out: Path,
    choice: Choice,
    *,
    public: bool,
    edges: Mapping[str, str],
    scope: Scope,
) -> str:
    """Write observations in one of FORMS to a file (Parquet: a directory); return what was done."""
    scope.require(VIEWER, "export readings")
    with open_twin(settings.database) as twin:
        catalogue, observed, _ = twin.sight(view_of(settings, public=public), time.time())
        streams = [s for s in catalogue.streams.values() if _chosen(catalogue, s, choice)]
        wanted = files.Wanted(streams, *_span(catalogue, streams, choice))
        if form == "parquet":
            count = files.write_parquet(out, catalogue, observed, wanted, Terms()._asdict())
            return f"wrote {count} observations to {out}"
        if form == "csv":
            pieces: list[str] = list(files.csv_text(catalogue, observed, wanted))
        elif form == "citygml":
            base = f"http://{settings.twin.host}:{settings.twin.port}/v1.1"
            pieces = [citygml.dynamizers(catalogue, [s.stream_id for s in streams], base)]
        else:
            rows = by_time(observed.rows(catalogue, streams, wanted.since_s, wanted.until_s))
            known = {site_id: _site(catalogue, site_id) for site_id in catalogue.entities["Thing"]}
            by_site = {site_id: edges[name] for site_id, name in known.items() if name in edges}
            pieces = [sumo.edge_data(catalogue, rows, by_site, wanted.since_s)]
    part = out.with_name(out.name + ".part")
    part.write_text("".join(pieces), "utf-8")
    part.replace(out)
    return f"wrote {out}"


def _span(catalogue: Catalogue, streams: list[Stream], choice: Choice) -> tuple[int, int]:
    """Return the asked time, no longer than there are observations."""
    spans = [catalogue.spans[s.stream_id] for s in streams if s.stream_id in catalogue.spans]
    if not spans:
        return choice.since_s, choice.since_s
    return max(choice.since_s, min(s[0] for s in spans)), min(choice.until_s, max(s[1] for s in spans) + 1)


def _chosen(catalogue: Catalogue, stream: Stream, choice: Choice) -> bool:
    return (
        (not choice.sites or _site(catalogue, stream.site_id) in choice.sites)
        and (not choice.quantities or stream.quantity in choice.quantities)
        and (not choice.aggregates or stream.aggregate in choice.aggregates)
    )


def _site(catalogue: Catalogue, site_id: int) -> str:
    return str(catalogue.entities["Thing"][site_id]["properties"]["site"])


def push(settings: Settings, kind: str, url: str, authorization: str, *, public: bool, scope: Scope) -> int:
    """Push everything new to a server, until there is no more; return up to which number it has everything."""
    scope.require(ADMIN, "push readings")
    if kind not in KINDS:
        raise UsageError(expected=" or ".join(KINDS), got=kind, todo="see `citynode twin push --help`")
    operations = Operations(settings.database)
    exchange = HttpExchange(url, authorization)
    name, cursors = f"{kind} {url}", SqlCursors(operations)
    try:
        auditing(operations).record(scope, "twin.push", url, after={"kind": kind, "public": public})
        with open_twin(settings.database) as twin:
            frost, ngsi, more = Frost(exchange, cursors, name), Ngsi(exchange, cursors, name), True
            while more:
                catalogue, observed, newests = twin.sight(view_of(settings, public=public), time.time())
                more = frost.step(catalogue, observed) if kind == "frost" else ngsi.step(catalogue, observed, newests)
        return cursors.get(name) or 0
    finally:
        exchange.close()
        operations.close()
