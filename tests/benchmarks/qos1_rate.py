"""QoS 1 messages a second from the unix port to a real mosquitto: the client's window against one in flight.

Over a link with 5 ms each way, which is a good Wi-Fi: on the bare loopback an answer is back before the next packet
is written, and both clients are bound by the interpreter alone; that figure stands beside. Best of three runs each.
"""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from pathlib import Path

from tests.benchmarks.row import Row, at_least
from tests.benchmarks.tools import on_micropython
from tests.firmware.link_rig import Broker

DELAY_S = 0.005


class Lag:
    """A TCP relay to `port` that holds back everything for DELAY_S in both directions."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_relay, args=(near, far), daemon=True).start()
            threading.Thread(target=_relay, args=(far, near), daemon=True).start()


def _relay(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes, each piece DELAY_S after its arrival; pieces do not wait for one another."""
    waiting: list[tuple[float, bytes]] = []
    source.setblocking(False)
    while True:
        try:
            data = source.recv(65536)
            if not data:
                target.close()
                return
            waiting.append((time.monotonic() + DELAY_S, data))
        except BlockingIOError:
            time.sleep(0.0002)
        except OSError:
            return
        while waiting and waiting[0][0] <= time.monotonic():
            try:
                target.sendall(waiting.pop(0)[1])
            except OSError:
                return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _rate(port: int, mode: str, messages: int, runs: int = 3) -> float:
    arguments = (str(port), mode, str(messages))
    return max(float(on_micropython("on_micropython/publish_rate.py", *arguments)) for _ in range(runs))


def run(short: bool) -> list[Row]:
    """Return the ratio of the rates, with all rates beside it."""
    messages = 500 if short else 3000
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder), _free_port())
        lag = Lag(broker.port)
        try:
            window, one = _rate(lag.port, "window", messages), _rate(lag.port, "one", messages // 5)
            poll = _rate(lag.port, "poll", 20, 1)
            bare = _rate(broker.port, "window", messages), _rate(broker.port, "one", messages)
        finally:
            lag.close()
            broker.kill()
    beside = (
        f"window of 8: {window:.0f}/s, one in flight: {one:.0f}/s, 100 ms poller: {poll:.1f}/s; bare loopback "
        f"{bare[0]:.0f}/s against {bare[1]:.0f}/s"
    )
    return [at_least("qos1_rate", window / one, "x one in flight", 3, beside, f"{messages} messages, 5 ms each way")]
