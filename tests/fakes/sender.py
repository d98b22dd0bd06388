"""A node, its broker and the ingest in a process of its own, for tests that take its disk or database away.

    sender = Sender(store)             # a path or a ServerDatabase; `within` puts the process on another disk
    sender.send(500)                   # Heard: what was sent and acknowledged so far, and what was said of it
    sender.records()                   # (number, sequence number) of all that the store holds

Frames are the same in every process, so a sender that is started again sends what the first one has sent, as an outbox
does that has heard nothing. `python -m tests.fakes.sender STORE` is the process; it reads a command a line.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_engine import open_store
from device_manager.adapters.store_reader import SqlReader
from device_manager.database import Database, ServerDatabase, parse
from device_manager.errors import StoreError
from device_manager.ingest.commit import Committer
from device_manager.ingest.service import IngestService
from device_manager.shadow import JsonFold
from firmware.wire import records
from tests.conftest import ROOT
from tests.fakes.broker import FakeBroker
from tests.fakes.speaker import Speaker
from tests.waiting import wait_for


class Heard(NamedTuple):
    """Messages sent and acknowledged since the process began, and the errors that it logged."""

    sent: int
    acknowledged: int
    said: list[str]


class Sender:
    """The process, seen from a test."""

    def __init__(self, store: Database, within: Callable[[Sequence[str]], list[str]] = list) -> None:
        named = store.url if isinstance(store, ServerDatabase) else str(store)
        command = within([sys.executable, "-m", "tests.fakes.sender", named])
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )
        self.refused: str = self._read()
        """Why it could not begin; "" when it did."""

    def begin(self, count: int, jump_ms: int = 0) -> None:
        """As `send`, without waiting."""
        self._write("send", count, jump_ms)

    def send(self, count: int, jump_ms: int = 0) -> Heard:
        """Send so many messages more; return when all are acknowledged, or something was said. `jump_ms` is by how
        much the host's clock is wrong then."""
        self.begin(count, jump_ms)
        return self.heard()

    def heard(self) -> Heard:
        """Return what the last command came to."""
        return Heard(*self._read())

    def look(self) -> Heard:
        """Return at once."""
        self._write("look")
        return self.heard()

    def wait(self) -> Heard:
        """Return when everything is acknowledged."""
        self._write("wait")
        return self.heard()

    def records(self) -> list[tuple[int, int]]:
        """Return (number, sequence number) of all records, in the order of their numbers; each is as it was sent."""
        self._write("records")
        return [(number, seq) for number, seq in self._read()]

    def end(self) -> None:
        """End in order."""
        self.process.communicate()

    def kill(self) -> None:
        """SIGKILL it."""
        self.process.kill()
        self.process.communicate()

    def _write(self, *words: object) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def _read(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())


class _Said(logging.Handler):
    """Keeps errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())


class _Sending:
    """The same, from inside."""

    def __init__(self, path: Database) -> None:
        self._path = path
        self._store = open_store(path)
        self._said = _Said()
        logging.getLogger().addHandler(self._said)
        self._broker, self._speaker, self._sent = FakeBroker(), Speaker(), dict[int, bytes]()
        self._service = IngestService(self._broker, Committer(self._store, Cbor2Codec(), JsonFold()), SystemClock())
        self._service.start()

    def send(self, count: int, jump_ms: int) -> Heard:
        said = len(self._said.words)  # before it can fail
        for _ in range(count):
            message = self._speaker.frame() if self._sent else self._speaker.channels()
            self._sent[len(self._sent)] = message.payload
            self._broker.send(message.topic, message.payload, message.received_ms + jump_ms)
        wait_for(lambda: not self._broker.unacknowledged or len(self._said.words) > said)
        return self.look()

    def wait(self) -> Heard:
        wait_for(lambda: not self._broker.unacknowledged, what=lambda: self._said.words)
        return self.look()

    def records(self) -> list[tuple[int, int]]:
        reader = SqlReader(self._path)
        rows = [(row.number, records.decode_head(row.payload)[2], row.payload) for row in reader.records()]
        reader.close()
        assert all(payload == self._sent.get(seq, payload) for _, seq, payload in rows)
        return [(number, seq) for number, seq, _ in rows]

    def close(self) -> None:
        self._service.stop()
        self._store.close()

    def look(self) -> Heard:
        return Heard(len(self._sent), len(self._sent) - len(self._broker.unacknowledged), self._said.words)


def main() -> None:
    """Do what the lines of standard input say, and answer each with a line."""
    named = sys.argv[1]
    try:
        sending = _Sending(parse(named) if "://" in named else Path(named))
    except StoreError as error:
        print(json.dumps(str(error)))
        return
    print(json.dumps(""), flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(sending, name)(*arguments)), flush=True)
    sending.close()


if __name__ == "__main__":
    main()
