"""What the link's tests need around a node: mosquitto, a manager that commits, a broker that misbehaves on command."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt

from firmware.wire import messages, records, topics
from tests.conftest import find_micropython, micropython_path
from tests.waiting import wait_for

ON_NODE = Path(__file__).parent / "on_node"
NODE = "kempten-01"
LOG = 0x80000007


class Broker:
    """A plain mosquitto on the loopback interface that can be killed and started again."""

    def __init__(self, folder: Path, port: int, more: str = "allow_anonymous true\n") -> None:
        program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        assert program, "expected mosquitto on PATH: install it (apt-get install mosquitto)"
        self._config = folder / "mosquitto.conf"
        # With max_queued_messages 0 mosquitto 2.0.11 cuts the connection instead of answering a forbidden publish.
        user = getpass.getuser()  # started as root it would become "mosquitto", who may not read a test's files
        self._config.write_text(f"listener {port} 127.0.0.1\nuser {user}\nmax_queued_messages 100000\n{more}", "utf-8")
        self._program, self.port = program, port
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._listens, what=lambda: f"no mosquitto on port {self.port}")

    def kill(self) -> None:
        """Power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Manager:
    """Commits what arrives and answers by watermarks, unless told otherwise.

    `deaf_to` are numbers that it never takes, `forgets` are numbers whose first copy it drops, `wants` says whether it
    names holes; `silent` publishes nothing.
    """

    def __init__(self, port: int) -> None:
        self.committed: dict[int, bytes] = {}
        self.copies: dict[int, int] = {}
        self.states: list[dict[str, Any]] = []
        self.losses: list[dict[str, Any]] = []
        self.other: list[tuple[str, bytes]] = []
        self.deaf_to: set[int] = set()
        self.forgets: set[int] = set()
        self.wants = True
        self.silent = False
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="manager", protocol=mqtt.MQTTv5)
        listens = threading.Event()
        self._client.on_connect = lambda *_: self._client.subscribe(topics.ALL_UP, qos=1)
        self._client.on_subscribe = lambda *_: listens.set()
        self._client.on_message = lambda _, __, message: self._take(message)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        wait_for(listens.is_set)

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, kind: str, payload: bytes, qos: int = 0) -> None:
        """Publish anything to the node."""
        self._client.publish(topics.down(NODE, kind), payload, qos=qos)

    def watermark(self, log: int = LOG, next_seq: int | None = None) -> None:
        """Publish the watermark as it is, or a wrong one."""
        first = 0
        while first in self.committed:
            first += 1
        want = self._holes(first)[: messages.WANT_MAX] if self.wants else []
        fields = {"log": log, "next": first if next_seq is None else next_seq, "want": want}
        self.send("watermark", messages.encode("watermark", fields))

    def _holes(self, first: int) -> list[list[int]]:
        holes: list[list[int]] = []
        for seq in range(first, max(self.committed, default=-1)):
            if seq in self.committed:
                continue
            if holes and holes[-1][1] == seq - 1:
                holes[-1][1] = seq
            else:
                holes.append([seq, seq])
        return holes

    def _take(self, message: mqtt.MQTTMessage) -> None:
        kind = topics.parse(message.topic)[2]
        if kind == "state":
            self.states.append(messages.decode("state", message.payload))
        elif kind in records.KINDS:
            self._take_record(kind, message.payload)
        else:
            self.other.append((kind, message.payload))
            return
        if not self.silent:
            self.watermark()

    def _take_record(self, kind: str, payload: bytes) -> None:
        seq = records.decode_head(payload)[2]
        self.copies[seq] = self.copies.get(seq, 0) + 1
        if seq in self.forgets:
            self.forgets.remove(seq)
        elif seq not in self.deaf_to:
            self.committed[seq] = payload
        if kind == "loss":
            fields = records.decode(kind, payload)
            self.losses.append(fields)
            for lost in range(fields["first"], fields["last"] + 1):
                self.committed.setdefault(lost, b"")


class Node:
    """link_node.py on real MicroPython; `lines` are the JSON lines that it printed so far."""

    def __init__(self, port: int, heap: str = "400k", folder: Path | None = None, **job: Any) -> None:
        config = {"node": NODE, "brokers": [{"host": "127.0.0.1", "port": port}], "tls": None, "resend_s": 1}
        config["backlog_per_s"] = 1000
        config.update(job.pop("config", {}))
        job = {"records": 0, "seconds": 20, **job, "config": config}
        command = [find_micropython(), "-X", f"heapsize={heap}", str(ON_NODE / "link_node.py")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
            env={**os.environ, "MICROPYPATH": micropython_path([ON_NODE])},
        )  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")  # MicroPython dies of an argument over 255 bytes
        self._process.stdin.close()
        self.lines: list[dict[str, Any]] = []
        self.noise: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def last(self) -> dict[str, Any]:
        """The newest line about the state of link and outbox."""
        return next((line for line in reversed(self.lines) if "state" in line), {})

    def wait(self, seconds: float = 60, **wanted: Any) -> dict[str, Any]:
        """Wait until a line has all of `wanted`; return it."""

        def found() -> dict[str, Any] | None:
            return next((line for line in self.lines if all(line.get(k) == v for k, v in wanted.items())), None)

        wait_for(found, seconds, self._seen)
        line = found()
        assert line is not None
        return line

    def error(self, part: str, seconds: float = 60) -> None:
        """Wait until an error text has `part`."""
        wait_for(lambda: any(part in line.get("error", "") for line in list(self.lines)), seconds, self._seen)

    def finish(self, seconds: float = 60) -> None:
        """Wait for its end; it must not have printed anything but JSON."""
        assert self._process.wait(seconds) == 0, self.noise
        self._reader.join()
        assert not self.noise, self.noise

    def kill(self) -> None:
        """Power cut."""
        self._process.kill()
        self._process.wait()

    def _seen(self) -> str:
        return f"{self.last} {self.noise[-5:]}"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            try:
                self.lines.append(json.loads(text))
            except ValueError:
                self.noise.append(text.strip())


CONNACK = b"\x20\x03\x00\x00\x00"
SUBACK = b"\x90\x04\x00\x01\x00\x01"


class BadBroker:
    """Accepts one connection after the other, sends the prepared answers as packets come, then falls silent."""

    def __init__(self, *answers: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.received = b""
        self.connections = 0
        self._answers = answers
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(link,), daemon=True).start()

    def _answer(self, link: socket.socket) -> None:
        answers = list(self._answers)
        try:
            while data := link.recv(4096):
                self.received += data
                if answers:
                    link.sendall(answers.pop(0))
        except OSError:
            pass  # the node hung up
