"""An ingest worker in a process of its own that can be killed, started in milliseconds: forked from one that has
everything imported.

one = worker.start(port, "one", url)
worker.kill(one)
"""

import multiprocessing
import time
from multiprocessing.connection import Connection

from device_manager.adapters.broker_paho import BrokerAddress, PahoBroker
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_arrivals import PgArrivals
from device_manager.database import parse
from device_manager.ingest.gathering import Gatherer
from device_manager.ingest_worker import SHARE

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


def start(port: int, name: str, url: str) -> multiprocessing.process.BaseProcess:
    """Start a worker at the broker on `port` that keeps what it gathers in the database of `url`; it is ready then."""
    here, there = _processes.Pipe()
    process = _processes.Process(target=_work, args=(port, name, url, there), daemon=True)
    process.start()
    there.close()
    assert here.recv() == "ready"
    return process


def kill(process: multiprocessing.process.BaseProcess) -> None:
    """SIGKILL a worker and wait until it is gone."""
    process.kill()
    process.join()


def _work(port: int, name: str, url: str, ready: Connection) -> None:
    address = BrokerAddress("127.0.0.1", port, name, receive_maximum=50, subscription=SHARE)
    Gatherer(PahoBroker(address), PgArrivals(parse(url)), Cbor2Codec()).start()
    ready.send("ready")
    while True:
        time.sleep(3600)
