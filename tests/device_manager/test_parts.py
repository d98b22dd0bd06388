"""The manager in parts: broker, brain and a worker apart, over TLS; a second brain is refused wherever it runs."""

import shutil
from pathlib import Path

import pytest

from device_manager import app, settings
from device_manager.adapters.broker_paho import PahoBroker
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_arrivals import PgArrivals
from device_manager.adapters.store_reader import SqlReader
from device_manager.errors import SetupError, StoreError
from device_manager.ingest.gathering import Gatherer
from device_manager.ingest_worker import address
from tests.fakes import postgres
from tests.waiting import wait_for


def test_broker_brain_and_worker_run_apart_and_only_one_brain_leads(
    tmp_path: Path, free_port: int, postgres_url: str
) -> None:
    database = postgres.fresh(postgres_url)
    made = app.initialise(
        tmp_path / "one", name="apart", host="127.0.0.1", port=free_port, broker="mosquitto", database=database.url
    )
    reader = SqlReader(database)
    with app.Manager(made, parts=[app.BROKER]), app.Manager(made, brain=True, parts=[app.BRAIN]) as brain:
        worker = Gatherer(PahoBroker(address(made, 1)), PgArrivals(database), Cbor2Codec())
        worker.start()

        def rejected() -> object:  # the first ones may come before the worker's subscription
            brain._session.publish("citynode/1/stranger/up/frame", b"garbage", qos=1)
            return reader.reject_counts("stranger")

        wait_for(rejected)
        with pytest.raises(SetupError, match="expected no other manager"):
            app.Manager(made, brain=True, parts=[app.BRAIN]).start()
        shutil.copytree(made.directory, tmp_path / "two", ignore=shutil.ignore_patterns("*.lock"))
        other = settings.load(tmp_path / "two")
        with pytest.raises(StoreError, match="expected to be the only one that numbers"):
            app.Manager(other, brain=True, parts=[app.BRAIN]).start()
        worker.stop()
    reader.close()


def test_shards_are_kept_in_the_settings_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    made = settings.Settings(tmp_path, shards=(settings.Shard("north", "broker.example", 8884),))
    settings.save(made)
    assert settings.load(tmp_path) == made
    assert made.shard("north").port == 8884
    with pytest.raises(SetupError, match=r"expected a shard of .*settings.toml \(north\), got 'south'"):
        made.shard("south")
    text = made.file.read_text().replace("broker.example:8884", "broker.example")
    made.file.write_text(text)
    with pytest.raises(SetupError, match="for shards.north"):
        settings.load(tmp_path)
