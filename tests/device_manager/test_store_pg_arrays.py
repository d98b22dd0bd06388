"""Columns as PostgreSQL's arrays: what comes back from a real server is what went there."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_manager.adapters.store_pg_arrays import Int4s, Int8s, Texts, register

Server = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def server(postgres_url: str) -> Iterator[Server]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        register(connection)
        yield connection


def back(server: Server, kind: type[Int4s] | type[Int8s] | type[Texts], values: Sequence[Any]) -> Any:
    row = server.execute("SELECT %b, cardinality(%b)", [kind(values), kind(values)]).fetchone()
    assert row is not None
    assert row[1] == len(values)
    return row[0]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40))
def test_int8s_come_back(server: Server, values: list[int]) -> None:
    assert back(server, Int8s, values) == values


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=40))
def test_int4s_come_back(server: Server, values: list[int]) -> None:
    assert back(server, Int4s, values) == values


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), max_size=20))
def test_texts_come_back(server: Server, values: list[str]) -> None:
    assert back(server, Texts, values) == values


@pytest.mark.parametrize(("kind", "value"), [(Int4s, 2**31), (Int4s, -(2**31) - 1), (Int8s, 2**63)])
def test_number_that_does_not_fit_is_refused(kind: type[Int4s] | type[Int8s], value: int) -> None:
    with pytest.raises(OverflowError):
        kind([1, value])
