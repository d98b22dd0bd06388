"""Backups of a whole data directory: made while somebody writes, encrypted, checked, restored."""

import os
import sqlite3
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pyrage
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)

from device_manager import app, storekeeping
from device_manager.adapters.mosquitto import Mosquitto
from device_manager.adapters.store_arrivals import PgArrivals
from device_manager.adapters.store_series import SqlSeries
from device_manager.errors import StoreError, UsageError
from device_manager.fleet import local, open_fleet
from device_manager.scopes import TECHNICIAN, Forbidden, Scope
from device_manager.settings import Settings, Timing, load
from tests.fakes import postgres
from tests.fakes.speaker import Speaker
from tests.fakes.stores import Bench

SECRET = "korrekt pferd batterie"


@pytest.fixture
def settings(tmp_path: Path, free_port: int) -> Settings:
    made = app.initialise(tmp_path / "fleet", name="Kempten", host="127.0.0.1", port=free_port, broker="iotcore")
    with open_fleet(made) as fleet:
        site = fleet.registry.add_site("rathausplatz", "Rathausplatz", 47.7, 10.3, 3.0, "Mitte", scope=local())
        fleet.add_virtual_node("kempten-01", site, Timing(), 1_770_000_000, scope=local())
    bench = Bench(made.directory)
    speaker = Speaker()
    bench.committer.commit([speaker.channels(), *(speaker.frame() for _ in range(50))])
    bench.close()
    return made


def kept(directory: Path) -> dict[str, bytes]:
    """Every file of a data directory that a backup must bring back as it was; databases by what they hold."""
    found = {}
    for path in directory.rglob("*"):
        name = str(path.relative_to(directory))
        if path.is_file() and not name.startswith(("citynode.db", "operations.db", "series.db")):
            found[name] = path.read_bytes()
    with closing(sqlite3.connect(directory / "citynode.db")) as raw:
        found["citynode.db"] = "\n".join(raw.iterdump()).encode()
    return found


def test_backup_comes_back_as_it_was(settings: Settings, tmp_path: Path) -> None:
    before = kept(settings.directory)
    made = storekeeping.backup(settings, tmp_path / "backup.tar", SECRET, local())
    assert {"citynode.db", "settings.toml", "identities/ca.key", "nodes/kempten-01/node.json"} <= set(made.manifest)
    restored = storekeeping.restore(tmp_path / "backup.tar", tmp_path / "again", SECRET)
    assert restored.manifest == made.manifest
    assert kept(tmp_path / "again") == before
    assert load(tmp_path / "again").name == "Kempten"
    assert (tmp_path / "again" / "identities").stat().st_mode & 0o777 == 0o700


def test_backup_holds_what_a_fleet_needs_besides_its_readings(tmp_path: Path, free_port: int) -> None:
    made = app.initialise(tmp_path / "fleet", name="Kempten", host="127.0.0.1", port=free_port, broker="mosquitto")
    Mosquitto(made).prepare()  # as the start of a manager does
    signing = {"order-1.key", "order-2.key", "release-1.key", "release-2.key"}
    for name in signing:
        (made.identities / name).write_bytes(b"made when the first order or release is signed")
    found = storekeeping.backup(made, tmp_path / "backup.tar", SECRET, local()).manifest
    keys = {"ca.key", "ca.crt", "issuer.key", "broker.key"} | signing
    assert {f"identities/{name}" for name in keys} <= set(found)
    assert {"broker/access", "broker/ca.crl"} <= set(found)
    assert any(name.startswith("broker/mosquitto") for name in found)


def test_backup_of_a_store_on_a_server_comes_back_in_another_database(
    tmp_path: Path, free_port: int, postgres_url: str
) -> None:
    old, new = postgres.fresh(postgres_url), postgres.fresh(postgres_url)
    made = app.initialise(
        tmp_path / "fleet", name="Kempten", host="127.0.0.1", port=free_port, broker="iotcore", database=old.url
    )
    with open_fleet(made) as fleet:
        site = fleet.registry.add_site("rathausplatz", "Rathausplatz", 47.7, 10.3, 3.0, "Mitte", scope=local())
        fleet.add_virtual_node("kempten-01", site, Timing(), 1_770_000_000, scope=local())
    bench, speaker = Bench(tmp_path).reopened(old), Speaker()
    bench.committer.commit([speaker.channels(), *(speaker.frame() for _ in range(50)), speaker.state()])
    PgArrivals(old).keep(1, b"a parcel that no brain has taken")
    SqlSeries(old).close()
    records, shadow = list(bench.reader.records()), bench.shadow(speaker.name)
    backup = tmp_path / "backup.tar"
    assert "postgres/public.frame.copy" in storekeeping.backup(made, backup, SECRET, local()).manifest
    bench.close()
    with pytest.raises(UsageError, match="expected the URL of an empty database"):
        storekeeping.restore(backup, tmp_path / "again", SECRET)
    assert not (tmp_path / "again").exists()
    storekeeping.restore(backup, tmp_path / "again", SECRET, new.url)
    assert load(tmp_path / "again").database == new
    bench = bench.reopened(new)
    assert (list(bench.reader.records()), bench.shadow(speaker.name)) == (records, shadow)
    bench.register("kempten-02")
    bench.committer.commit([speaker.frame(), Speaker("kempten-02", 8).channels()])
    assert [record.number for record in bench.reader.records(after=50)] == [51, 52, 53]
    bench.close()
    with psycopg.connect(new.url) as raw:
        assert raw.execute("SELECT count(*) FROM arrival").fetchone() == (1,)
        assert raw.execute("SELECT count(*) FROM operations.audit_entry").fetchone() != (0,)
    with pytest.raises(StoreError, match="expected no tables of citynode"):
        storekeeping.restore(backup, tmp_path / "twice", SECRET, new.url)


def test_backup_shows_nothing_without_the_passphrase(settings: Settings, tmp_path: Path) -> None:
    target = tmp_path / "backup.tar"
    storekeeping.backup(settings, target, SECRET, local())
    data = target.read_bytes()
    key = (settings.identities / "ca.key").read_bytes().split(b"\n")[1]
    assert key not in data and b"kempten-01" not in data
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    with pytest.raises(UsageError, match="the passphrase of this backup"):
        storekeeping.restore(target, tmp_path / "again", "falsch")
    assert not (tmp_path / "again").exists()


def test_backup_is_plain_age_inside_plain_tar(settings: Settings, tmp_path: Path) -> None:
    storekeeping.backup(settings, tmp_path / "backup.tar", SECRET, local())
    with tarfile.open(tmp_path / "backup.tar") as outer:
        key, data = (outer.extractfile(name).read() for name in ("key", "data.tar.gz.age"))  # type: ignore[union-attr]
    opened = load_ssh_private_key(key, SECRET.encode())
    plain = opened.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    assert pyrage.decrypt(data, [pyrage.ssh.Identity.from_buffer(plain)]).startswith(b"\x1f\x8b")


def test_backup_beside_a_writer_is_one_moment_of_the_database(settings: Settings, tmp_path: Path) -> None:
    bench = Bench(settings.directory)
    speaker = Speaker(log=8)
    ended = threading.Event()

    def write() -> None:
        bench.committer.commit([speaker.channels()])
        while not ended.is_set():
            bench.committer.commit([speaker.frame() for _ in range(20)])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(3):
            storekeeping.backup(settings, tmp_path / f"{number}.tar", SECRET, local())
    finally:
        ended.set()
        thread.join()
        bench.close()
    storekeeping.check_backup(tmp_path / "2.tar", SECRET)
    storekeeping.restore(tmp_path / "2.tar", tmp_path / "again", SECRET)
    with closing(sqlite3.connect(tmp_path / "again" / "citynode.db")) as raw:
        numbers = [row[0] for row in raw.execute("SELECT seq FROM frame WHERE log_id = 2 ORDER BY seq")]
        (following,) = raw.execute("SELECT next FROM log WHERE log = 8").fetchone()
    assert numbers == list(range(following))


def test_damaged_backup_is_refused_and_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    target = tmp_path / "backup.tar"
    storekeeping.backup(settings, target, SECRET, local())
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    with pytest.raises(StoreError, match="expected a whole backup in .*use another one"):
        storekeeping.restore(target, tmp_path / "again", SECRET)
    assert not (tmp_path / "again").exists() and not (tmp_path / "again.restoring").exists()


def test_restore_touches_no_directory_that_is_in_use(settings: Settings, tmp_path: Path) -> None:
    storekeeping.backup(settings, tmp_path / "backup.tar", SECRET, local())
    with pytest.raises(UsageError, match="a new or empty directory"):
        storekeeping.restore(tmp_path / "backup.tar", settings.directory, SECRET)
    with pytest.raises(UsageError, match="choose another name"):
        storekeeping.backup(settings, tmp_path / "backup.tar", SECRET, local())


def test_only_an_admin_makes_a_backup(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(Forbidden):
        storekeeping.backup(settings, tmp_path / "backup.tar", SECRET, Scope("otto", TECHNICIAN))
    assert not (tmp_path / "backup.tar").exists()


def test_check_names_a_damaged_database(settings: Settings) -> None:
    lines: list[str] = []
    storekeeping.check(settings, lines.append)
    assert lines[-1] == "51 records can be read"
    with closing(sqlite3.connect(settings.database)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with settings.database.open("r+b") as file:
        for page in range(1, settings.database.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(os.urandom(100))
    with pytest.raises(StoreError, match="restore a backup"):
        storekeeping.check(settings, lines.append)


def test_check_names_a_record_in_a_foreign_log(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.database)) as raw, raw:  # foreign keys are off here, as a server has none
        raw.execute("UPDATE frame SET node_id = 99 WHERE number = 7")
    with pytest.raises(StoreError, match="got record 7 in log 1 of node 99; restore a backup"):
        storekeeping.check(settings, lambda line: None)
