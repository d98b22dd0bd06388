"""Five faults, both stores: nothing that was acknowledged is lost, nothing is there twice, and the message says what to
do.

    full disk, read-only disk   really so: a tmpfs of a few megabytes in a namespace (`tests/fakes/small_disk.py`)
    database killed             SQLite: its process; PostgreSQL: all of the server's, while a COPY waits for a lock
    two leaders, clock step     two processes on one store; months back and forth

The sender, its broker and the ingest are a process of their own (`tests/fakes/sender.py`). A disk cannot become
read-only under a file that is open for writing, so that ingest begins on such a disk here; in the field the kernel does
it to an ext4 with errors, which nothing short of one shows. Where no disk can be mounted, a limit of file sizes stands
for a full one (`test_store.py`, `test_store_postgres.py`).
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from device_manager.database import Database, ServerDatabase
from tests.fakes import postgres
from tests.fakes.sender import Heard, Sender
from tests.fakes.small_disk import SmallDisk, small_disk
from tests.fakes.stores import Bench
from tests.waiting import wait_for

LIMITED = "a limit of file sizes stands for it in test_store.py and test_store_postgres.py"
DAY_MS = 86_400_000


@pytest.fixture
def store(tmp_path: Path, server_or_file: Database | None) -> Database:
    """An empty store with one node, in both kinds."""
    bench = Bench(tmp_path, server=server_or_file)
    bench.close()
    found: Database = bench.path
    return found


def whole(records: list[tuple[int, int]], count: int) -> bool:
    """True when the sender's records 0.. are there, each once, numbered from 1 without a gap."""
    return sorted(seq for _, seq in records) == list(range(count)) and [n for n, _ in records] == list(
        range(1, count + 1)
    )


def fill(sender: Sender) -> Heard:
    """Send until something is said."""
    heard = sender.send(1)
    while not heard.said:
        heard = sender.send(500)
    return heard


def why(heard: Heard) -> str:
    """What was said last, without how many messages wait: the first ones may fail before all are sent."""
    said = re.fullmatch(r"(.*; )(\d+) messages wait, nothing is acknowledged", heard.said[-1], re.DOTALL)
    assert said
    assert 0 < int(said[2]) <= heard.sent - heard.acknowledged
    return said[1]


def recovered(sender: Sender, own: postgres.Postgres, count: int) -> None:
    """Wait until all is acknowledged; a server that gave up on its disk is started as its supervisor would."""

    def all_acknowledged() -> bool:
        if own.process and own.process.poll() is not None:
            own.start()
        return sender.look().acknowledged == count

    wait_for(all_acknowledged)


@contextmanager
def disk_of_sqlite(tmp_path: Path) -> Iterator[tuple[SmallDisk, Path]]:
    with small_disk(tmp_path / "disk", 4 << 20, LIMITED) as disk:
        Bench(tmp_path).close()
        assert not disk.run(f"cp {tmp_path}/citynode.db {disk.folder}")
        yield disk, disk.folder / "citynode.db"


@contextmanager
def disk_of_a_server() -> Iterator[tuple[SmallDisk, postgres.Postgres]]:
    user = postgres.unprivileged()
    if not user:
        pytest.skip(f"expected root, because PostgreSQL refuses the root of a user namespace, got a user; {LIMITED}")
    with tempfile.TemporaryDirectory(prefix="cn-pg-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with small_disk(folder / "data", 96 << 20, LIMITED, (user["user"], user["group"])) as disk:
            own = postgres.Postgres(folder, disk=disk)
            own.start()
            yield disk, own
            own.stop()


def test_full_disk_under_sqlite(tmp_path: Path) -> None:
    with disk_of_sqlite(tmp_path) as (disk, path):
        disk.fill(leave_bytes=300_000)
        sender = Sender(path, disk.command)
        heard = fill(sender)
        assert 0 < heard.acknowledged < heard.sent
        assert heard.said[0].startswith(
            f"expected a working database {path}, got database or disk is full; "
            "free some space on that disk; nothing that was acknowledged is lost; "
        )
        assert whole(sender.records(), heard.acknowledged)
        disk.free()
        assert sender.wait().acknowledged == heard.sent
        assert whole(sender.records(), heard.sent)
        sender.end()


def test_full_disk_then_a_read_only_one_under_postgresql(tmp_path: Path) -> None:
    with disk_of_a_server() as (disk, own):
        bench = Bench(tmp_path, server=own.database("city"))
        bench.close()
        sender = Sender(bench.path)
        disk.fill(leave_bytes=100_000)
        heard = fill(sender)
        assert heard.acknowledged < heard.sent
        assert why(heard).endswith("on the server's disk; nothing that was acknowledged is lost; ")
        disk.free()
        recovered(sender, own, heard.sent)
        assert whole(sender.records(), heard.sent)
        own.stop()
        disk.remount("ro")
        with pytest.raises(RuntimeError, match="Read-only file system"):
            own.start()
        later = sender.send(100)
        assert later.acknowledged == heard.sent
        assert why(later).endswith("nothing that was acknowledged is lost; ")
        disk.remount("rw")
        recovered(sender, own, later.sent)
        assert whole(sender.records(), later.sent)
        sender.end()


def test_read_only_disk_under_sqlite(tmp_path: Path) -> None:
    with disk_of_sqlite(tmp_path) as (disk, path):
        sender = Sender(path, disk.command)
        assert sender.send(300).acknowledged == 300
        sender.end()
        disk.remount("ro")
        assert Sender(path, disk.command).refused == (
            f"expected a working database {path}, got unable to open database file;"
            " make disk, directory and file writable for this user, or run `citynode init`"
        )
        disk.remount("rw")
        sender = Sender(path, disk.command)
        assert sender.send(400).acknowledged == 400
        sender.kill()  # leaves its log beside the database, so that the next one can begin
        disk.remount("ro")
        sender = Sender(path, disk.command)
        heard = sender.send(500)
        assert heard.acknowledged == 0
        assert len(heard.said) == 1
        assert why(heard) == (
            f"expected a working database {path}, got attempt to write a readonly database;"
            " make disk, directory and file writable for this user; nothing that was acknowledged is lost; "
        )
        assert whole(sender.records(), 400)
        disk.remount("rw")
        assert sender.wait().acknowledged == 500
        assert whole(sender.records(), 500)
        sender.end()


def test_server_that_becomes_read_only(tmp_path: Path, postgres_url: str) -> None:
    bench = Bench(tmp_path, server=postgres.fresh(postgres_url))
    bench.close()
    sender = Sender(bench.path)
    assert sender.send(100).acknowledged == 100
    name = bench.path.url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        sender.send(100)
        wait_for(lambda: "read-only" in sender.look().said[-1])  # before that, the session had gone
        heard = sender.look()
        assert heard.acknowledged == 100
        assert "connect to the primary server, or make the server writable: it is read-only now" in heard.said[-1]
        other.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    assert sender.wait().acknowledged == heard.sent
    assert whole(sender.records(), heard.sent)
    sender.end()


def test_server_killed_while_frames_are_copied(tmp_path: Path) -> None:
    with postgres.server() as own:
        bench = Bench(tmp_path, server=own.database("city"))
        bench.close()
        sender = Sender(bench.path)
        assert sender.send(100).acknowledged == 100
        looking = psycopg.connect(bench.path.url, autocommit=True)  # a transaction sees one state of the server
        with suppress(psycopg.OperationalError), psycopg.connect(bench.path.url) as other:
            other.execute("LOCK TABLE frame IN SHARE MODE")
            sender.begin(400)
            sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY frame%' AND wait_event_type = 'Lock'"
            wait_for(lambda: looking.execute(sql).fetchone() == (1,))
            own.kill()
        heard = sender.heard()
        assert heard.acknowledged == 100
        assert "nothing that was acknowledged is lost" in heard.said[0]
        own.start()
        assert sender.wait().acknowledged == 500
        assert whole(sender.records(), 500)
        sender.end()


def test_process_killed_between_acknowledgements(store: Database) -> None:
    sender = Sender(store)
    heard = sender.send(200)
    sender.begin(1000)
    sender.kill()
    again = Sender(store)
    assert {seq for _, seq in again.records()} >= set(range(heard.acknowledged))
    assert again.send(1200).acknowledged == 1200
    assert whole(again.records(), 1200)
    again.end()


def test_two_leaders(store: Database) -> None:
    """PostgreSQL refuses the second; on SQLite both write in turn, and the manager's lock refuses it (`test_parts`)."""
    one, two = Sender(store), Sender(store)
    if isinstance(store, ServerDatabase):
        assert "expected to be the only one that numbers" in two.refused
        assert "; end that one" in two.refused
        assert one.send(300).acknowledged == 300
        one.kill()
        two = Sender(store)
    one_sent = 0 if isinstance(store, ServerDatabase) else 300
    if one_sent:
        one.begin(one_sent)
    assert two.send(400).acknowledged == 400
    if one_sent:
        assert one.heard().acknowledged == one_sent
        one.end()
    assert whole(two.records(), 400)
    two.end()


def test_clock_step_of_the_host(store: Database) -> None:
    sender = Sender(store)
    for days in (0, 400, -35, 0):
        assert sender.send(50, days * DAY_MS).said == []
    assert sender.look().acknowledged == 200
    assert whole(sender.records(), 200)
    sender.end()
    later = Sender(store)  # and one that begins with a clock that is behind
    assert later.send(250, -35 * DAY_MS).acknowledged == 250
    assert whole(later.records(), 250)
    later.end()
