"""Frames to observations, against the contract's own decoder."""

import csv
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.ports import Deployment, StoredRecord
from device_manager.series import Deployments, Epochs, LastValue, Observations, Series, observations
from device_manager.series.export import Names, write_csv, write_jsonl, write_parquet
from firmware.wire import frame
from tests.fakes.speaker import CHANNELS, START_S, Speaker
from tests.fakes.stores import Bench

LOADS = Cbor2Codec().loads
NAMES = Names({1: "kempten-01"}, {4: "rathausplatz"})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def series(bench: Bench) -> Series:
    columns = "id, name, title, latitude, longitude, height_m, district"
    bench.write(f"INSERT INTO site ({columns}) VALUES (4, 'rathausplatz', 'Rathausplatz', 47.7, 10.3, 3, 'Mitte')")
    bench.write(f"INSERT INTO deployment VALUES (1, 1, 4, {START_S + 60}, {START_S + 180})")
    return Series(bench.reader, Cbor2Codec())


def rows(found: Observations) -> list[tuple[object, ...]]:
    """(quantity, start, end, value, flags) of each row; None for a missing value."""
    return [
        (found.channels[c].quantity, s, e, None if math.isnan(v) else v, f)
        for c, s, e, v, f in zip(
            *(column.tolist() for column in (found.channel, found.start_s, found.end_s, found.value, found.flags)),
            strict=True,
        )
    ]


def test_frame_becomes_scaled_rows_column_after_column(bench: Bench, series: Series) -> None:
    speaker = Speaker()
    bench.committer.commit([speaker.channels(), speaker.frame([[83, -12, 7], [84, None, 9]], flags=8)])
    (page,) = series.pages()
    first, second = (START_S, START_S + 60), (START_S + 60, START_S + 120)
    assert rows(page) == [
        ("pm2_5", *first, 8.3, 8),
        ("pm2_5", *second, 8.4, 0),
        ("temperature", *first, -1.2, 0),
        ("temperature", *second, None, 0),
        ("footfall_in", *first, 7.0, 0),
        ("footfall_in", *second, 9.0, 0),
    ]
    assert page.number.tolist() == [2] * 6
    assert page.site_id.tolist() == [-1, 4] * 3


CELLS = st.none() | st.integers(-frame.MAX_VALUE, frame.MAX_VALUE)
FRAMES = st.lists(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=6), max_size=6)


@settings(deadline=None)
@given(FRAMES)
def test_values_of_many_frames_are_those_of_the_contracts_decoder(frames: list[list[list[int | None]]]) -> None:
    speaker = Speaker()
    stored = [StoredRecord(1, 1, 1, 0, "channels", 0, None, speaker.channels().payload)]
    for seq, cells in enumerate(frames, start=1):
        stored.append(StoredRecord(seq + 1, 1, 1, seq, "frame", 0, START_S, speaker.frame(cells).payload))
    found = observations(stored, Epochs(lambda _, seq: stored[seq], LOADS), Deployments([]), LOADS)
    expected = []
    for record in stored[1:]:
        decoded = frame.decode(record.payload)
        for i, value in enumerate(decoded.values):
            denominator = CHANNELS[i // decoded.count][2]
            expected.append(None if value is None else value / int(str(denominator)))
    assert [None if math.isnan(v) else v for v in found.value.tolist()] == expected


def test_frames_that_cannot_become_rows_are_counted(bench: Bench, series: Series) -> None:
    speaker = Speaker()
    undated, unnamed = speaker.frame(start_s=None), speaker.frame()
    bench.committer.commit([undated, unnamed])
    (page,) = series.pages()
    assert (len(page), page.undated, page.unnamed) == (0, 1, 1)


def test_frame_wider_than_its_late_epoch_is_counted(bench: Bench, series: Series) -> None:
    speaker = Speaker()
    channels, wide = speaker.channels(CHANNELS[:2]), speaker.frame([[1, 2, 3]])
    bench.committer.commit([wide])
    bench.committer.commit([channels])
    (page,) = series.pages()
    assert (len(page), page.unreadable) == (0, 1)


def test_frame_before_its_channels_appears_once_they_came(bench: Bench, series: Series) -> None:
    speaker = Speaker()
    channels, late = speaker.channels(), speaker.frame([[1, 2, 3]])
    bench.committer.commit([late])
    assert [len(page) for page in series.pages()] == [0]
    bench.committer.commit([channels])
    assert [len(page) for page in series.pages()] == [3]


def test_window_cuts_inside_a_frame(bench: Bench, series: Series) -> None:
    speaker = Speaker()
    bench.committer.commit([speaker.channels(), speaker.frame([[i, i, i] for i in range(5)])])
    (page,) = series.pages(node_id=1, since_s=START_S + 60, until_s=START_S + 180)
    assert sorted(set(page.start_s.tolist())) == [START_S + 60, START_S + 120]


def test_latest_is_the_newest_present_value_of_each_channel(bench: Bench, series: Series) -> None:
    speaker = Speaker()
    channels, late = speaker.channels(), speaker.frame([[1, 1, 1]], start_s=START_S - 6000)
    bench.committer.commit([channels, speaker.frame([[83, None, 7], [None, None, 9]]), late])
    second = (START_S + 60, START_S + 120)
    assert series.latest() == [
        LastValue(1, None, "air", "pm2_5", "ug/m3", 8.3, 0, START_S, START_S + 60),
        LastValue(1, 4, "air", "temperature", "Cel", None, 0, *second),
        LastValue(1, 4, "gate", "footfall_in", "{count}", 9.0, 0, *second),
    ]


def test_empty_store_has_no_pages_and_no_values(series: Series) -> None:
    assert (list(series.pages()), series.latest()) == ([], [])


def test_deployments_name_the_site_by_interval() -> None:
    deployments = Deployments([Deployment(2, 9, 100, None), Deployment(1, 4, 0, 50), Deployment(1, 5, 50, 60)])
    at = [(1, 0), (1, 49), (1, 50), (1, 60), (2, 99), (2, 10**10), (3, 100)]
    nodes, times = (np.array(column, dtype=np.int64) for column in zip(*at, strict=True))
    assert deployments.sites(nodes, times).tolist() == [4, 4, 5, -1, -1, 9, -1]


@pytest.fixture
def exported(bench: Bench, series: Series) -> list[Observations]:
    speaker = Speaker()
    bench.committer.commit([speaker.channels(), speaker.frame([[83, None, 7], [84, 1, 9]], flags=9)])
    return list(series.pages())


EXPECTED = [
    ("2026-02-01T23:53:20Z", "2026-02-01T23:54:20Z", None, "pm2_5", 8.3, "warm-up, sensor fault"),
    ("2026-02-01T23:54:20Z", "2026-02-01T23:55:20Z", "rathausplatz", "pm2_5", 8.4, ""),
    ("2026-02-01T23:54:20Z", "2026-02-01T23:55:20Z", "rathausplatz", "temperature", 0.1, ""),
    ("2026-02-01T23:53:20Z", "2026-02-01T23:54:20Z", None, "footfall_in", 7.0, ""),
    ("2026-02-01T23:54:20Z", "2026-02-01T23:55:20Z", "rathausplatz", "footfall_in", 9.0, ""),
]
PICKED = ("start", "end", "site", "quantity", "value", "quality")


def test_csv_has_a_header_and_a_line_for_each_present_value(exported: list[Observations]) -> None:
    out = io.StringIO(newline="")
    assert write_csv(exported, NAMES, out) == 5
    found = list(csv.DictReader(io.StringIO(out.getvalue())))
    texts = [tuple("" if cell is None else str(cell) for cell in row) for row in EXPECTED]
    assert [tuple(row[name] for name in PICKED) for row in found] == texts
    others = [found[0][name] for name in ("number", "node", "sensor", "unit")]
    assert others == ["2", "kempten-01", "air", "ug/m3"]


def test_json_lines_are_objects(exported: list[Observations]) -> None:
    out = io.StringIO()
    assert write_jsonl(exported, NAMES, out) == 5
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [tuple(row[name] for name in PICKED) for row in found] == EXPECTED


def test_parquet_reads_back_with_types(exported: list[Observations]) -> None:
    out = io.BytesIO()
    assert write_parquet(exported, NAMES, out) == 5
    table = pq.read_table(io.BytesIO(out.getvalue()))
    assert str(table.schema.field("start").type) == "timestamp[ms, tz=UTC]"
    found = [
        (f"{row['start']:%Y-%m-%dT%H:%M:%SZ}", f"{row['end']:%Y-%m-%dT%H:%M:%SZ}", *(row[name] for name in PICKED[2:]))
        for row in table.to_pylist()
    ]
    assert found == EXPECTED


def test_parquet_of_nothing_is_a_readable_table() -> None:
    out = io.BytesIO()
    assert write_parquet([], NAMES, out) == 0
    assert pq.read_table(io.BytesIO(out.getvalue())).num_rows == 0
