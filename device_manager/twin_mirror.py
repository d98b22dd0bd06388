"""Composition root of the live mirror: a thread of the open interfaces' process, with stores of its own.

It is not in the manager's process, so that ingest keeps its interpreter to itself.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from device_manager.adapters.broker_paho import BrokerAddress, BrokerTls
from device_manager.adapters.mirror_paho import MirrorPublisher
from device_manager.adapters.store_cursors import SqlCursors
from device_manager.adapters.store_operations import Operations
from device_manager.errors import CitynodeError
from device_manager.identities.authority import MIRROR
from device_manager.settings import Settings
from device_manager.twin.mirror import Mirror
from device_manager.twin_side import open_twin

EVERY_S = 1.0
log = logging.getLogger("citynode.mirror")


def address(settings: Settings) -> BrokerAddress:
    """Return how the mirror reaches the broker."""
    broker, files = settings.broker, settings.identities
    tls = BrokerTls(files / "ca.crt", files / "mirror.crt", files / "mirror.key", broker.server_name)
    return BrokerAddress(broker.connect_host, broker.port, MIRROR, tls if broker.tls else None)


@contextmanager
def mirrored(settings: Settings) -> Iterator[None]:
    """Keep the mirror while the block runs."""
    ended = threading.Event()
    thread = threading.Thread(target=_run, args=(settings, ended), name="mirror", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _run(settings: Settings, ended: threading.Event) -> None:
    publisher = MirrorPublisher(address(settings))
    with ExitStack() as stack:
        stack.callback(publisher.close)
        twin = stack.enter_context(open_twin(settings.database))
        operations = Operations(settings.database)
        stack.callback(operations.close)
        base = f"http://{settings.twin.host}:{settings.twin.port}/v1.1"
        _mirror(Mirror(twin, SqlCursors(operations), publisher.publish, base), publisher, ended)


def _mirror(mirror: Mirror, publisher: MirrorPublisher, ended: threading.Event) -> None:
    """Go on until the end; what fails is said once and tried again."""
    failed = more = False
    while more or not ended.wait(EVERY_S):
        try:
            if publisher.connect():
                mirror.begin(time.time())
            more, failed = mirror.step(time.time()) and not ended.is_set(), False
        except CitynodeError as error:
            if not failed:
                log.warning("%s; the mirror waits", error)
            more, failed = False, True
