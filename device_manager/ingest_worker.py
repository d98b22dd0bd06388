"""One ingest worker as a process: `python -m device_manager.ingest_worker --data DIR --number N`, and who runs several.

N (1 to 16, over all hosts of a broker) is the certificate that it comes with. Workers of one broker share a
subscription, see `ingest.gathering`; the brain is `citynode serve --brain`.
"""

import argparse
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

from device_manager import settings as settings_file
from device_manager.adapters import processes
from device_manager.adapters.broker_paho import BrokerAddress, BrokerTls, PahoBroker
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_arrivals import ArrivalsBroker, PgArrivals
from device_manager.app import ended_by_signals
from device_manager.database import ServerDatabase
from device_manager.errors import SetupError
from device_manager.identities import Authority
from device_manager.identities.authority import MAX_WORKERS, worker_name
from device_manager.ingest.gathering import Gatherer
from device_manager.ports import Broker
from device_manager.settings import Settings, Shard
from firmware.wire import topics

SHARE = "$share/ingest/" + topics.ALL_UP
_WATCH_S = 0.5
log = logging.getLogger("citynode")


def server(settings: Settings) -> ServerDatabase:
    """Return the server's database; SetupError for SQLite, which has one writer."""
    found = settings.database
    if isinstance(found, ServerDatabase):
        return found
    todo = "move with `citynode store copy URL --switch`, or use plain `citynode serve`"
    raise SetupError(expected="a PostgreSQL database for several processes", got=f"SQLite in {found}", todo=todo)


def arriving(settings: Settings, session: Broker) -> ArrivalsBroker:
    """Return what the brain takes messages from."""
    return ArrivalsBroker(server(settings), session, Cbor2Codec())


def address(settings: Settings, number: int, shard: str = "") -> BrokerAddress:
    """Return how worker `number` reaches the broker, or that of a shard."""
    broker, name = settings.broker, worker_name(number)
    at = settings.shard(shard) if shard else Shard("", broker.connect_host, broker.port)
    if not broker.tls:
        return BrokerAddress(at.host, at.port, name, subscription=SHARE)
    authority = Authority.open(settings.identities)
    tls = BrokerTls(authority.root_file, *authority.worker(number, time.time()), broker.server_name)
    return BrokerAddress(at.host, at.port, name, tls, subscription=SHARE)


def work(settings: Settings, number: int, shard: str = "") -> None:
    """Be worker `number` of a broker until SIGINT or SIGTERM."""
    arrivals = PgArrivals(server(settings))
    gatherer = Gatherer(PahoBroker(address(settings, number, shard)), arrivals, Cbor2Codec())
    with ended_by_signals() as ended:
        gatherer.start()
        log.info("worker %d ready", number)
        ended.wait()
    gatherer.stop()
    arrivals.close()


def run_workers(settings: Settings, first: int, count: int, shard: str = "") -> None:
    """Run workers `first`, `first` + 1, ... until SIGINT or SIGTERM; one that ends is started again."""
    if not 1 <= first <= first + count - 1 <= MAX_WORKERS:
        got = f"{first} to {first + count - 1}"
        raise SetupError(expected=f"workers 1 to {MAX_WORKERS}", got=got, todo="use fewer, or another --first")
    server(settings)
    if shard:
        settings.shard(shard)
    with ended_by_signals() as ended:
        running = {number: _spawn(settings, number, shard) for number in range(first, first + count)}
        try:
            _watch(settings, running, ended, shard)
        finally:
            for process in running.values():
                processes.stop(process)


def _watch(settings: Settings, running: dict[int, subprocess.Popen[bytes]], ended: threading.Event, shard: str) -> None:
    while not ended.wait(_WATCH_S):
        for number, process in running.items():
            if process.poll() is not None:
                words = processes.last_lines(_log(settings, number))
                log.warning("worker %d ended with %s: %s; it is started again", number, process.returncode, words)
                running[number] = _spawn(settings, number, shard)


def _spawn(settings: Settings, number: int, shard: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "device_manager.ingest_worker", "--data", str(settings.directory)]
    return processes.spawn(
        [*command, "--number", str(number), "--shard", shard], settings.directory, _log(settings, number)
    )


def _log(settings: Settings, number: int) -> Path:
    return settings.directory / f"ingest-{number}.log"


def main() -> None:
    """Parse and work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--shard", default="")
    options = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    work(settings_file.load(options.data), options.number, options.shard)


if __name__ == "__main__":
    main()
