"""The SQL store: versions, steps that are whole or not at all, and readers beside a writer that is killed."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cbor2
import pytest
from sqlalchemy import event

from device_manager.adapters.store_engine import create_database
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.store_sql import SqlStore
from device_manager.adapters.store_version import SCHEMA_VERSION
from device_manager.errors import StoreError
from device_manager.ports import RecordRow, RowRefused
from tests.conftest import ROOT
from tests.fakes.speaker import START_S, Speaker
from tests.fakes.stores import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, ["kempten-01", "kempten-02"])
    yield bench
    bench.close()


def row(seq: int, log_id: int = 1) -> RecordRow:
    return RecordRow(1, log_id, seq, "frame", 0, None, b"x")


def test_database_of_another_version_is_named(bench: Bench) -> None:
    bench.write("UPDATE schema_version SET version = ?", (SCHEMA_VERSION + 1,))
    with pytest.raises(
        StoreError, match=f"expected schema version {SCHEMA_VERSION} in .*, got version {SCHEMA_VERSION + 1}; use the"
    ):
        SqlStore(bench.path)


def test_missing_database_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file; make disk, .* or run"):
        SqlReader(tmp_path / "none.db")


def test_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "citynode.db"
    path.write_bytes(b"no database, but long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="file is not a database; restore a backup"):
        SqlStore(path)


def test_database_of_another_program_is_named(tmp_path: Path) -> None:
    path = tmp_path / "citynode.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE note (text TEXT)")
    with pytest.raises(StoreError, match="expected a citynode database at"):
        SqlStore(path)


def test_create_does_not_touch_an_existing_database(bench: Bench) -> None:
    with pytest.raises(StoreError, match="expected no database at"):
        create_database(bench.path)
    assert len(bench.reader.nodes()) == 2


def test_database_is_private(bench: Bench) -> None:
    assert bench.path.stat().st_mode & 0o077 == 0


def test_writer_is_durable_at_commit(bench: Bench) -> None:
    with bench.store.begin() as transaction:
        assert transaction._run("PRAGMA synchronous").scalar() == 2  # FULL
        assert transaction._run("PRAGMA journal_mode").scalar() == "wal"


def test_step_that_raises_leaves_nothing(bench: Bench) -> None:
    class Broken(Exception):
        pass

    with pytest.raises(Broken), bench.store.begin() as transaction:  # noqa: PT012  # the block is what is tested
        transaction.append([row(0, transaction.add_log(1, 7).log_id)])
        raise Broken
    assert bench.reader.head_number() == 0
    with bench.store.begin() as transaction:
        transaction.append([row(0, transaction.add_log(1, 7).log_id)])
    assert bench.reader.head_number() == 1


def test_row_that_does_not_fit_is_refused_and_the_store_goes_on(bench: Bench) -> None:
    with bench.store.begin() as transaction:
        transaction.append([row(0, transaction.add_log(1, 7).log_id)])
    with pytest.raises(RowRefused, match="UNIQUE"), bench.store.begin() as transaction:
        transaction.append([row(1), row(0)])
    with pytest.raises(RowRefused, match="too large"), bench.store.begin() as transaction:
        transaction.append([row(2**70)])
    with bench.store.begin() as transaction:
        transaction.append([row(1)])
    assert [r.number for r in bench.reader.records()] == [1, 2]


def test_transaction_knows_whether_somebody_else_wrote(bench: Bench) -> None:
    def changed() -> bool:
        with bench.store.begin() as transaction:
            transaction.add_events([])
            return transaction.changed_elsewhere

    assert [changed(), changed()] == [True, False]
    bench.register("kempten-03")
    assert [changed(), changed()] == [True, False]


def test_locked_database_is_a_store_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_manager.adapters.store_engine.BUSY_S", 0.05)
    store = SqlStore(bench.path)
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked; end the other program"), store.begin():
            pass
    store.close()


def test_windowed_records_are_those_that_may_touch_it(bench: Bench) -> None:
    day_s, first_s = 86_400, START_S - 8 * 86_400
    speakers = [Speaker("kempten-01", 7), Speaker("kempten-02", 8)]
    for speaker in speakers:
        frames = [speaker.frame(start_s=first_s + day * day_s) for day in (0, 2, 4, 6)]
        bench.committer.commit([speaker.channels(), *frames, speaker.frame(start_s=None)])
    window = {"since_s": first_s + 2 * day_s, "until_s": first_s + 4 * day_s}
    assert [r.start_s for r in bench.reader.records(node_id=1, **window)] == [first_s + 2 * day_s]
    assert [r.node_id for r in bench.reader.records(**window)] == [1, 2]
    assert [r.start_s for r in bench.reader.records(node_id=2, since_s=first_s + 6 * day_s)] == [first_s + 6 * day_s]


def test_records_longer_than_a_page_come_in_order(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_manager.adapters.store_reader._PAGE", 3)
    speaker = Speaker()
    bench.committer.commit([speaker.channels(), *(speaker.frame() for _ in range(8))])
    assert [r.number for r in bench.reader.records()] == list(range(1, 10))
    assert [r.number for r in bench.reader.records(after=4)] == list(range(5, 10))
    assert [r.number for r in bench.reader.records(since_s=0)] == list(range(2, 10))


def test_node_view_names_the_present_site(bench: Bench) -> None:
    site = (
        "INSERT INTO site (id, name, title, latitude, longitude, height_m, district) VALUES (?, ?, 'T', 47, 10, 3, 'K')"
    )
    deployment = "INSERT INTO deployment (node_id, site_id, since_s, until_s) VALUES (1, ?, ?, ?)"
    for number, name in ((1, "old"), (2, "new")):
        bench.write(site, (number, name))
    bench.write(deployment, (1, 0, 100))
    bench.write(deployment, (2, 100, None))
    view = bench.reader.node("kempten-01")
    assert view is not None
    assert view.site is not None
    assert view.site.name == "new"
    assert [v.site is None for v in bench.reader.nodes()] == [False, True]
    assert bench.reader.node("kempten-99") is None


WRITER = """
import sys
from pathlib import Path
from tests.fakes.speaker import Speaker
from tests.fakes.stores import Bench
bench, speaker = Bench(Path(sys.argv[1])), Speaker()
print(bench.committer.commit([speaker.channels()]).watermarks[0].next, flush=True)
while True:
    batch = [speaker.frame() for _ in range(10)]
    print(bench.committer.commit(batch).watermarks[0].next, flush=True)
"""


def test_killed_writer_leaves_whole_batches_and_every_watermark_true(bench: Bench) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(bench.path.parent)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert writer.stdout is not None
    published = [int(next(writer.stdout)) for _ in range(30)]
    seen = [bench.reader.head_number() for _ in range(200)]  # beside the running writer
    writer.send_signal(signal.SIGKILL)
    published += [int(line) for line in writer.stdout]
    writer.wait()
    writer.stdout.close()
    stored = list(bench.reader.records())
    assert len(stored) >= published[-1]
    assert [r.number for r in stored] == [r.seq + 1 for r in stored] == list(range(1, len(stored) + 1))
    assert all(cbor2.loads(r.payload)[2] == r.seq for r in stored)
    assert {count % 10 for count in [*seen, len(stored)]} == {1}
    assert bench.shadow().next == len(stored)


LIMITED = """
import resource, sys
from pathlib import Path
from device_manager.errors import StoreError
from tests.fakes.speaker import Speaker
from tests.fakes.stores import Bench
bench, speaker = Bench(Path(sys.argv[1])), Speaker()
bench.committer.commit([speaker.channels()])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
batch, mark = [], 1
try:
    while True:
        batch = [speaker.frame() for _ in range(50)]
        mark = bench.committer.commit(batch).watermarks[0].next
except StoreError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert bench.reader.head_number() == mark, (bench.reader.head_number(), mark)
print(mark, bench.committer.commit(batch).watermarks[0].next - mark)
"""


def test_full_disk_loses_nothing_and_the_store_works_again_with_space(bench: Bench) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(bench.path.parent)], capture_output=True, text=True, cwd=ROOT, timeout=180
    )
    assert run.returncode == 0, run.stderr
    message, marks = run.stdout.splitlines()
    assert message.startswith(f"expected a working database {bench.path}, got")
    assert marks.split()[1] == "50"


def test_no_statement_of_ingest_reads_all_of_a_table_that_grows(bench: Bench) -> None:
    said: list[tuple[str, tuple[object, ...]]] = []
    event.listen(
        bench.store._engine, "before_cursor_execute", lambda *a: said.append((a[2], a[3][0] if a[5] else a[3]))
    )
    one, other = Speaker(), Speaker("kempten-02", log=8)
    sent = [one.channels(), *(one.frame() for _ in range(30)), one.state()]  # enough to be admitted together
    bench.committer.commit([*sent, one.loss(90, 91), other.channels(), other.frame(start_s=1 << 31)])
    assert bench.committer.commit(sent).duplicates == 31  # looked up together
    assert bench.committer.commit(sent[1:2]).duplicates == 1  # and alone
    bench.committer.commit([other.frame()._replace(topic=sent[0].topic)])
    with closing(sqlite3.connect(bench.path)) as raw:
        plans = {
            (sql, step[3])
            for sql, arguments in said
            if sql.lstrip()[:6] in ("SELECT", "WITH w", "UPDATE", "DELETE") and "LIMIT" not in sql
            for step in raw.execute("EXPLAIN QUERY PLAN " + sql, arguments)
        }
    assert any("SEARCH frame" in step for _, step in plans)
    assert [
        plan for plan in plans if plan[1].split()[:2] in (["SCAN", name] for name in ("frame", "reject", "event"))
    ] == []


def test_refusals_of_a_batch_cost_few_statements_however_many(bench: Bench) -> None:
    said: list[str] = []
    event.listen(bench.store._engine, "before_cursor_execute", lambda *a: said.append(a[2]))
    known, stranger = Speaker(), Speaker("kempten-77", log=9)
    bench.committer.commit([known.channels()])
    late = [known.frame(start_s=1 << 31) for _ in range(100)]  # its clock is wrong
    news = [*late, *(stranger.frame() for _ in range(100))]
    said.clear()
    assert bench.committer.commit(news).rejected == 200
    assert bench.committer.commit(news).duplicates == 200
    assert len(said) < 40


def test_retained_states_cost_few_statements_however_many(bench: Bench) -> None:
    said: list[str] = []
    names = [f"kempten-{number:03d}" for number in range(100, 200)]
    for name in names:
        bench.register(name)
    states = [Speaker(name, log=i).state(retained=True) for i, name in enumerate(names, start=100)]
    bench.committer.commit(states)
    event.listen(bench.store._engine, "before_cursor_execute", lambda *a: said.append(a[2]))
    bench.committer.commit(states)  # as to a manager that has just started
    assert len(bench.events()) == 100
    assert len(said) < 20


def test_reader_in_another_thread_sees_only_whole_batches(bench: Bench) -> None:
    speaker = Speaker()
    bench.committer.commit([speaker.channels()])
    done = threading.Event()
    counts: list[int] = []

    def read() -> None:
        while not done.is_set():
            counts.append(len(list(bench.reader.records())))

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(40):
        bench.committer.commit([speaker.frame() for _ in range(7)])
    done.set()
    thread.join()
    assert counts == sorted(counts)
    assert {count % 7 for count in counts} == {1}
