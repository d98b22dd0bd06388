"""The store on a real PostgreSQL server: leader, full disk, months, tables; more faults in `test_store_faults.py`."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import InternalError

from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_copy import copy_store
from device_manager.adapters.store_engine import create_database, open_reader, open_store
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_pg_frames import PgStore
from device_manager.adapters.store_postgres import translated
from device_manager.adapters.store_reader import SqlReader
from device_manager.audit import Entry
from device_manager.database import ServerDatabase, parse
from device_manager.errors import SetupError, StoreError
from device_manager.ports import Incoming, LogRow, RecordRow, RowRefused
from tests.conftest import ROOT
from tests.fakes import postgres
from tests.fakes.derived import Derived
from tests.fakes.speaker import NOW_MS, Speaker
from tests.fakes.stores import Bench
from tests.waiting import wait_for

DAY_MS = 86_400_000
HISTORY = ROOT / "tests" / "history"


@pytest.fixture
def bench(tmp_path: Path, postgres_url: str) -> Iterator[Bench]:
    bench = Bench(tmp_path, server=postgres.fresh(postgres_url))
    yield bench
    bench.close()


def run(bench: Bench, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(bench.path.url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


def numbers(bench: Bench) -> list[int]:
    return [record.number for record in bench.reader.records()]


def commit_until_it_fails(bench: Bench, speaker: Speaker, size: int) -> tuple[int, list[Incoming], str]:
    """Return the last watermark, the batch that failed, and the error's words."""
    mark, batch = 0, []
    try:
        while True:
            batch = [speaker.frame() for _ in range(size)]
            mark = bench.committer.commit(batch).watermarks[0].next
    except StoreError as error:
        return mark, batch, str(error)


def test_second_leader_is_refused_until_the_first_has_gone(bench: Bench) -> None:
    with pytest.raises(StoreError, match=r"expected to be the only one .* got another \(backend \d+\); end that one"):
        open_store(bench.path)
    bench.store.close()
    open_store(bench.path).close()


def test_leader_that_lost_its_session_cannot_write_beside_the_next_one(bench: Bench) -> None:
    speaker = Speaker()
    bench.committer.commit([speaker.channels()])
    run(bench, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    wait_for(lambda: not run(bench, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"))
    other = bench.reopened()
    frame = speaker.frame()
    for _ in range(3):
        with pytest.raises(StoreError):
            bench.committer.commit([frame])
    assert other.committer.commit([frame]).stored == 1
    assert numbers(other) == [1, 2]
    other.close()


def test_session_that_was_ended_is_made_anew_by_the_next_step(bench: Bench) -> None:
    speaker = Speaker()
    bench.committer.commit([speaker.channels()])
    run(bench, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    frame = speaker.frame()
    with pytest.raises(StoreError, match="nothing that was acknowledged is lost"):
        bench.committer.commit([frame])
    bench.committer.commit([frame])
    assert numbers(bench) == [1, 2]


def test_reader_goes_on_after_its_sessions_were_ended(bench: Bench) -> None:
    bench.register("kempten-02")
    with closing(SqlReader(bench.path)) as reader:
        before = reader.names()
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert len(run(bench, f"SELECT pg_terminate_backend(pid) {others}")) >= 2  # the reader's and the writer's
        wait_for(lambda: not run(bench, f"SELECT 1 {others}"))
        assert reader.names() == before == {1: "kempten-01", 2: "kempten-02"}


def test_reader_cannot_change_anything(bench: Bench) -> None:
    engine = open_reader(bench.path)
    with pytest.raises(InternalError, match="read-only transaction"), engine.begin() as connection:
        connection.exec_driver_sql("UPDATE node SET name = 'other'")
    engine.dispose()


def test_full_disk_of_the_server_loses_nothing_and_the_store_works_again_with_space(tmp_path: Path) -> None:
    with postgres.server() as own:
        bench, speaker = Bench(tmp_path, server=own.database("city")), Speaker()
        bench.committer.commit([speaker.channels()])
        bench.close()
        own.stop()
        own.start(file_bytes=2 << 20)  # the log of the server has files of 1 MiB; a table of frames may not pass 2
        bench = bench.reopened()
        mark, batch, words = commit_until_it_fails(bench, speaker, 1000)
        assert "free some space on the server's disk; nothing that was acknowledged is lost" in words
        assert numbers(bench)[-1] == mark
        own.stop()
        own.start()
        assert bench.committer.commit(batch).watermarks[0].next == mark + len(batch)
        assert numbers(bench) == list(range(1, mark + len(batch) + 1))
        bench.close()


def test_month_of_a_clock_that_jumps_gets_its_own_partition_and_numbers_go_on(bench: Bench) -> None:
    speaker = Speaker()
    for jump_ms in (0, 400 * DAY_MS, -35 * DAY_MS, 0):
        message = speaker.channels() if speaker.seq == 0 else speaker.frame(start_s=None)
        bench.committer.commit([message._replace(received_ms=NOW_MS + jump_ms)])
    assert numbers(bench) == [1, 2, 3, 4]
    tables = run(bench, "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY relname")
    assert [name for (name,) in tables] == ["frame_2025_12", "frame_2026_02", "frame_2027_03"]


def test_row_that_does_not_fit_is_refused_and_the_store_goes_on(bench: Bench) -> None:
    with pytest.raises(RowRefused), bench.store.begin() as step:
        step.add_log(999, 5)
    with bench.store.begin() as step:
        assert step.changed_elsewhere  # nothing remembered of a step that failed
        assert step.log(5) is None


def test_statement_that_was_sent_ahead_and_is_refused_undoes_the_step(bench: Bench) -> None:
    speaker = Speaker()

    def shadow_of_nobody() -> None:
        with bench.store.begin() as step:
            step.append([RecordRow(1, 1, 0, "loss", NOW_MS, None, b"")])
            step.save_shadows([(1, "{}"), (99, "{}")])
            step.save_shadows([(1, "{}")])

    with pytest.raises(RowRefused, match="foreign key"):
        shadow_of_nobody()
    bench.committer.commit([speaker.channels(), speaker.frame()])
    assert numbers(bench) == [1, 2]


@pytest.mark.parametrize(("log_next", "document"), [(1 << 63, "{}"), (5, "\ud800"), (5, "\0")])
def test_value_that_no_column_takes_is_refused_as_a_row(bench: Bench, log_next: int, document: str) -> None:
    def save() -> None:
        with bench.store.begin() as step:
            step.save_logs([LogRow(1, 1, 7, log_next, ())])
            step.save_shadows([(1, document)])

    with pytest.raises(RowRefused):
        save()
    bench.committer.commit([Speaker().channels()])
    assert numbers(bench) == [1]


@pytest.mark.parametrize("sent", ["rows", "statements"])
def test_session_that_ends_while_much_is_under_way_leaves_nothing_of_it(bench: Bench, sent: str) -> None:
    speaker = Speaker()
    bench.committer.commit([speaker.channels()])

    def send() -> None:
        with bench.store.begin() as step:
            step.append([RecordRow(1, 1, 5, "loss", NOW_MS, None, bytes(1000))])
            for seq in range(6, 6000):
                if sent == "rows":
                    step.append([RecordRow(1, 1, seq, "loss", NOW_MS, None, bytes(1000))])
                else:
                    step.save_shadows([(1, "{}")])
                if seq == 6:
                    run(bench, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")

    with pytest.raises(StoreError, match="nothing that was acknowledged is lost"):
        send()
    bench.committer.commit([speaker.frame()])
    assert numbers(bench) == [1, 2]


def test_topic_with_a_nul_is_kept_as_reject(bench: Bench) -> None:
    bench.committer.commit([Speaker().state()._replace(topic="citynode/1/\0/up/state")])
    assert run(bench, "SELECT topic FROM reject") == [("citynode/1/\ufffd/up/state",)]


def test_lookups_follow_a_table_that_grew_since_they_were_planned(bench: Bench) -> None:
    speaker, rejects = Speaker(), 3000
    run(bench, "ANALYZE")  # which a server does by night: the table is known to be empty
    for _ in range(0, rejects, 100):
        bench.committer.commit([speaker.frame(start_s=1 << 31) for _ in range(100)])  # of the future: each is looked up
    bench.store.close()  # its session tells the server what it read
    sql = "SELECT n_tup_ins, seq_tup_read FROM pg_stat_user_tables WHERE relname = 'reject'"
    wait_for(lambda: run(bench, sql)[0][0] == rejects)
    assert run(bench, sql)[0][1] < 100 * rejects  # all of it for each would be 4 million


def test_database_without_tables_says_what_to_do(postgres_url: str) -> None:
    with pytest.raises(StoreError, match="run `citynode init` with this URL first"):
        open_store(postgres.fresh(postgres_url))


def test_tables_are_not_made_twice(bench: Bench) -> None:
    with pytest.raises(StoreError, match="use them as they are"):
        create_database(bench.path)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_older_tables_are_brought_to_todays_and_lose_nothing(postgres_url: str, tmp_path: Path, version: int) -> None:
    today, old = (postgres.fresh(postgres_url) for _ in range(2))
    create_database(today)
    with psycopg.connect(old.url) as raw:
        raw.execute((HISTORY / f"server_v{max(version, 3)}.sql").read_text("utf-8"))
        if version == 2:  # the first on a server had these not yet
            raw.execute("ALTER TABLE public.node DROP tags")
            raw.execute("ALTER TABLE public.site DROP heading_deg, DROP fixture, DROP gml_id, DROP tags")
            raw.execute("UPDATE public.schema_version SET version = 2")
    opened: list[type[PgStore] | type[SqlReader]] = [SqlReader, PgStore]  # whoever comes first does it
    for first in opened if version == 4 else opened[::-1]:  # the second time there is nothing to do
        first(old).close()
    assert shape(old) == shape(today)
    with closing(sqlite3.connect(tmp_path / "citynode.db")) as same:
        same.executescript((HISTORY / "store_v3.sql").read_text("utf-8"))
    with closing(SqlReader(old)) as reader, closing(SqlReader(tmp_path / "citynode.db")) as expected:
        records = list(expected.records())
        assert list(reader.records()) == records
        assert (reader.head_number(), len(records)) == (11, 11)
        assert all(reader.record(record.log_id, record.seq) == record for record in records)
        assert reader.latest_frames() == expected.latest_frames()
        assert [view.tags for view in reader.nodes()] == [()]
    with closing(PgStore(old)) as store:
        with store.begin() as step:
            known = {(r.log_id, r.seq): (r.kind, r.payload) for r in records}
            assert step.records([*known, (records[0].log_id, 99_999)]) == known
            step.append([RecordRow(records[0].node_id, records[0].log_id, 99_999, "loss", NOW_MS, None, b"")])
        with store.begin() as step:
            assert step.head == 12


def shape(server: ServerDatabase) -> list[tuple[object, ...]]:
    """All columns of all tables but the months', the indices of frames, and the foreign keys."""
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name !~ '^frame_' ORDER BY 1, 2"
    )
    indices = (
        "SELECT c.relname, pg_get_indexdef(indexrelid), c.reloptions FROM pg_index"
        " JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'public.frame'::regclass ORDER BY 1"
    )
    keys = "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2"
    with psycopg.connect(server.url) as raw:
        return [*raw.execute(columns), *raw.execute(indices), *raw.execute(keys)]


def test_newer_tables_are_refused(bench: Bench) -> None:
    bench.store.close()
    run(bench, "UPDATE schema_version SET version = 99")
    with pytest.raises(StoreError, match="version 99; use the citynode that wrote it, or newer"):
        open_store(bench.path)


def test_server_that_is_away_says_so_without_the_password() -> None:
    gone = parse("postgres://citynode:secret@127.0.0.1:1/city")
    with pytest.raises(StoreError, match="check that the server runs") as caught:
        open_store(gone)
    assert "secret" not in str(caught.value)


def test_standby_with_older_tables_says_whom_to_ask(postgres_url: str) -> None:
    words = "cannot set transaction read-write mode during recovery"
    with pytest.raises(StoreError, match="connect to the primary server"), translated(parse(postgres_url)):
        raise psycopg.errors.FeatureNotSupported(words)


def test_url_of_something_else_is_refused() -> None:
    with pytest.raises(SetupError, match="expected the URL of a PostgreSQL database, got 'mysql://x/y'"):
        parse("mysql://x/y")


def test_operations_tables_lie_beside_the_frames(bench: Bench) -> None:
    operations = Operations(bench.path)
    audit = SqlAudit(operations)
    entry = Entry(0, NOW_MS, "tester", "admin", "node.add", "kempten-01", "null", "{}")
    audit.append(entry)
    assert [found.subject for found in audit.entries()] == ["kempten-01"]
    assert run(bench, "SELECT table_schema FROM information_schema.tables WHERE table_name = 'audit_entry'") == [
        ("operations",)
    ]
    operations.close()
    assert isinstance(bench.path, ServerDatabase)


def test_fleet_moves_from_sqlite_without_loss_and_goes_on(tmp_path: Path, postgres_url: str) -> None:
    target = postgres.fresh(postgres_url)
    old, speaker = Derived(tmp_path), Speaker()
    old.bench.committer.commit([speaker.channels(), speaker.frame(), speaker.state(), speaker.frame(start_s=None)])
    old.bench.committer.commit([speaker.state()._replace(topic="nonsense")])
    old.keeper.advance()
    audit = SqlAudit(Operations(old.bench.path))
    audit.append(Entry(0, NOW_MS, "tester", "admin", "node.add", "kempten-01", "null", "{}"))
    content, blocks, rollups = list(old.bench.reader.records()), old.blocks(), old.rollups()
    old.close()
    copied = copy_store(tmp_path / "citynode.db", target)
    assert {name: copied.rows[f"public.{name}"] for name in ("node", "frame", "event", "reject")} == {
        "node": 1,
        "frame": 3,
        "event": 1,
        "reject": 1,
    }
    new = old.on(target)
    assert (list(new.bench.reader.records()), new.blocks(), new.rollups()) == (content, blocks, rollups)
    assert [found.subject for found in SqlAudit(Operations(target)).entries()] == ["kempten-01"]
    new.bench.register("kempten-02")
    other = Speaker("kempten-02", 8)
    new.bench.committer.commit([speaker.frame(), speaker.state(), other.channels()])
    assert [record.number for record in new.bench.reader.records()] == [1, 2, 3, 4, 5]
    new.close()


def test_copy_into_a_database_with_tables_is_refused(bench: Bench, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Bench(other).close()
    with pytest.raises(StoreError, match="expected no tables of citynode"):
        copy_store(other / "citynode.db", bench.path)
