"""Parcels of messages that workers keep and the brain takes, in the table `arrival` of a PostgreSQL database.

The brain sees them as a `Broker`: it is given messages, and what it acknowledges is deleted. So everything that holds
between a broker and one ingest holds here: nothing is deleted before the frames in it are numbered and durable, and a
brain that dies in between finds the parcel again and drops what it has stored. Parcels come in the order in which they
are seen; numbers are given by the brain alone.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine
from sqlalchemy.pool import QueuePool

from device_manager.adapters.store_postgres import check_schema, new_engine, translated
from device_manager.database import ServerDatabase
from device_manager.errors import StoreError
from device_manager.ingest.gathering import unpack
from device_manager.ports import Broker, Codec, Incoming

POLL_S = 0.02
_AT_ONCE = 8  # parcels
_AHEAD = 16  # parcels that may be with the brain
_RETRY_S = 1.0
_log = logging.getLogger(__name__)


class PgArrivals:
    """The `Arrivals` port of a worker; any number of processes may hold one."""

    def __init__(self, server: ServerDatabase) -> None:
        """Open the database; StoreError when it cannot be used."""
        self._server = server
        self._engine: Engine = new_engine(server, "public", QueuePool, growing=True)
        check_schema(self._engine, server)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def keep(self, messages: int, body: bytes) -> None:
        """See `Arrivals.keep`."""
        with translated(self._server), self._engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO arrival (messages, body) VALUES (?, ?)", (messages, body))


class ArrivalsBroker:
    """The `Broker` port of the brain: messages come from the table, everything else goes to `session`, a real broker.

    `session` brings the states, retained ones too, which a shared subscription does not show; workers leave them alone.
    Anything else that waited for this session from before there were workers is taken too.
    """

    def __init__(self, server: ServerDatabase, session: Broker, codec: Codec) -> None:
        """Open the database; StoreError when it cannot be used."""
        self._server = server
        self._engine: Engine = new_engine(server, "public", QueuePool, growing=True)
        self._session = session
        self._codec = codec
        self._open: dict[int, int] = {}  # parcel -> messages of it that are not acknowledged
        self._lock = threading.Lock()
        self._done: list[int] = []
        self._stopping = threading.Event()

    def start(self, deliver: Callable[[Incoming], None]) -> None:
        """See `Broker.start`."""
        self._session.start(deliver)
        self._thread = threading.Thread(target=self._run, args=(deliver,), name="arrivals", daemon=True)
        self._thread.start()

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """See `Broker.publish`."""
        self._session.publish(topic, payload, qos=qos, retain=retain)

    def publish_all(self, messages: Sequence[tuple[str, bytes]], *, qos: int = 0) -> None:
        """See `Broker.publish_all`."""
        self._session.publish_all(messages, qos=qos)

    def acknowledge(self, tokens: Sequence[object]) -> None:
        """Let go of parcels whose messages are all safe."""
        with self._lock:
            for token in tokens:
                if isinstance(token, int) and token in self._open:
                    self._open[token] -= 1
                    if not self._open[token]:
                        self._done.append(token)
        self._session.acknowledge([token for token in tokens if not isinstance(token, int)])

    def stop(self) -> None:
        """See `Broker.stop`; parcels that were taken and not acknowledged come to the next brain."""
        self._stopping.set()
        self._thread.join()
        try:
            with translated(self._server), self._engine.begin() as connection:
                self._forget(connection)
        except StoreError as error:
            _log.warning("%s; the next brain drops what is numbered", error)
        self._engine.dispose()
        self._session.stop()

    def _run(self, deliver: Callable[[Incoming], None]) -> None:
        while not self._stopping.is_set():
            try:
                idle = not self._take(deliver)
            except StoreError as error:
                _log.error("%s; parcels wait", error)
                self._stopping.wait(_RETRY_S)
                continue
            if idle:
                self._stopping.wait(POLL_S)

    def _take(self, deliver: Callable[[Incoming], None]) -> bool:
        """Delete what is done and hand over what is new; False when there was nothing."""
        with translated(self._server), self._engine.begin() as connection:
            self._forget(connection)
            known = list(self._open)
            if len(known) >= _AHEAD:
                return False
            sql = "SELECT id, messages, body FROM arrival WHERE NOT id = ANY(?::bigint[]) ORDER BY id LIMIT ?"
            found = connection.exec_driver_sql(sql, (known, _AT_ONCE)).all()
        for number, count, body in found:
            with self._lock:
                self._open[number] = count
            for message in unpack(body, self._codec):
                deliver(message._replace(token=number))
        return bool(found)

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            done, self._done = self._done, []
        if done:
            try:
                connection.exec_driver_sql("DELETE FROM arrival WHERE id = ANY(?::bigint[])", (done,))
            except BaseException:
                with self._lock:
                    self._done += done
                raise
            with self._lock:
                for number in done:
                    del self._open[number]
