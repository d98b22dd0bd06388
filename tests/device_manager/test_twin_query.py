"""Options: what is written for a link reads as what was read, names are taken leniently, cursors are checked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from device_manager.twin import model
from device_manager.twin.evaluation.observing import read_cursor
from device_manager.twin.query.options import MOST_TOP, read
from device_manager.twin.query.parser import DEEPEST, LONGEST, MOST_TERMS, parse
from device_manager.twin.query.path import read_path
from device_manager.twin.query.syntax import NotFound, QueryError
from device_manager.twin.query.unparse import expression, options
from tests.device_manager.test_twin_property import of_datastreams, trees
from tests.fakes.naive_twin import text_of


def without_positions(tree: Any) -> Any:
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree).__name__, *(without_positions(getattr(tree, f)) for f in tree._fields if f != "position")
    return tuple(map(without_positions, tree)) if isinstance(tree, tuple) else tree


@settings(max_examples=100, deadline=None)
@given(tree=trees(of_datastreams).filter(bool))
def test_filter_that_is_written_anew_reads_the_same(tree: Any) -> None:
    read_once = parse("filter", text_of(tree))
    assert without_positions(parse("filter", expression(read_once))) == without_positions(read_once)


@pytest.mark.parametrize(
    "text",
    [
        "Locations($top=1),Datastreams/Observations",
        "Datastreams($filter=name eq 'a;b)';$orderBy=name desc;$EXPAND=Observations($count=true;$select=@iot.id))",
        "Thing($select=name),Datastreams($expand=Thing,Sensor;$top=3)",
    ],
)
def test_expansion_that_is_written_anew_reads_the_same(text: str) -> None:
    query = read(model.THING, [("$expand", text.replace("Thing($select=name),", ""))])
    again = read(model.THING, options(query))
    assert [without_positions(o) for o in options(again)] == [without_positions(o) for o in options(query)]
    assert again.expands[0].relation == query.expands[0].relation


def test_names_of_options_are_trimmed_and_taken_in_any_case() -> None:
    query = read(model.THING, [("\n  $TOP ", " 7"), ("$Count", "TRUE"), ("token", "x")])
    assert (query.top, query.count) == (7, True)


def test_top_above_the_cap_is_the_cap() -> None:
    assert read(model.THING, [("$top", "1000000")]).top == MOST_TOP


@pytest.mark.parametrize(
    "text",
    [
        "(" * (DEEPEST + 1) + "id eq 1" + ")" * (DEEPEST + 1),
        " or ".join(["id eq 1"] * (MOST_TERMS + 2)),
        "id eq 1 " + " " * LONGEST,
        "not " * (DEEPEST + 1) + "id eq 1",
    ],
)
def test_text_that_is_too_long_or_deep_is_refused_where_it_becomes_so(text: str) -> None:
    with pytest.raises(QueryError) as wrong:
        parse("filter", text)
    assert wrong.value.position is not None


@pytest.mark.parametrize("text", ["", "x", "1,2", "1,2,x", "1,2,3,4", "9" * 30 + ",1,1"])
def test_cursor_that_no_link_gave_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="nextLink"):
        read_cursor(text, 3)


def test_path_reads_relations_in_singular_and_plural() -> None:
    kinds = [step.kind.name for step in read_path("Datastreams(1)/Things/Datastreams(2)/Observation").steps]
    assert kinds == ["Datastream", "Thing", "Datastream", "Observation"]
    with pytest.raises(NotFound):
        read_path("Datastreams/Things")
