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
from device_manager.twin.observations import Rows, by_time
from device_manager.twin.ports import Terms
from device_manager.twin.public import FULL, Grain, View
from device_manager.twin.push.frost import Frost
from device_manager.twin.push.ngsi import Ngsi
from device_manager.twin_side import auditing, open_twin

__all__ = ["Choice", "check", "export", "push", "view_of"]
FORMS = ("parquet", "csv", "citygml", "sumo", "sumo-detectors")
_SUMO_AGGREGATES = ("15min", "1h", "1d")
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
        if form.startswith("sumo"):
            choice = _for_sumo(choice)
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
            pieces = [
                _sumo(form, out, catalogue, by_time(observed.rows(catalogue, streams, *wanted[1:])), wanted, edges)
            ]
    _write(out, "".join(pieces))
    return f"wrote {out}"


def _sumo(
    form: str, out: Path, catalogue: Catalogue, rows: Rows, wanted: files.Wanted, edges: Mapping[str, str]
) -> str:
    """Return counts as edgeData or of detectors; these are defined in a file beside `out`."""
    known = {site_id: _site(catalogue, site_id) for site_id in catalogue.entities["Thing"]}
    unknown = sorted(set(edges) - set(known.values()))
    if unknown or not edges:
        got = f"the unknown {', '.join(unknown)}" if unknown else "none"
        raise UsageError(expected="--edge SITE=EDGE of known sites", got=got, todo="see `citynode site list`")
    at = sumo.gates(catalogue, {i: _edges(edges[name]) for i, name in known.items() if name in edges})
    found = sumo.passed(catalogue, rows, at)
    if form == "sumo":
        return sumo.edge_data(found, wanted.since_s)
    _write(out.with_name(out.stem + ".detectors.xml"), sumo.detectors(at))
    return sumo.detector_counts(found, wanted.since_s)


def _edges(text: str) -> sumo.Edges:
    """Return the edges of `EDGE` or `INWARDS,OUTWARDS`."""
    inwards, _, outwards = text.partition(",")
    return sumo.Edges(inwards, outwards or inwards)


def _for_sumo(choice: Choice) -> Choice:
    """Return the choice of counts of one aggregate: the same people shall not be there twice."""
    aggregates = choice.aggregates or frozenset({_SUMO_AGGREGATES[0]})
    if len(aggregates) != 1 or not aggregates <= set(_SUMO_AGGREGATES):
        got = ", ".join(sorted(aggregates))
        raise UsageError(expected="one of " + ", ".join(_SUMO_AGGREGATES), got=got, todo="choose one --aggregate")
    return choice._replace(aggregates=aggregates, quantities=frozenset(sumo.COUNTS))


def _write(out: Path, text: str) -> None:
    part = out.with_name(out.name + ".part")
    part.write_text(text, "utf-8")
    part.replace(out)


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
