"""A TCP proxy between one node and the broker that can do what networks do.

    proxies = Proxies(count=3, target=("127.0.0.1", 8883))
    proxies.ports[0]                      # where node 0 connects to
    proxies.set(0, Weather(latency_s=0.5))
    proxies.set(0, Weather(swallow=True)) # half-open: connections stand, every byte is lost
    proxies.reset(0)                      # RST on every connection of node 0
    proxies.close()

One thread with one event loop serves all of them. A weather holds for bytes that arrive while it lasts: what was
swallowed never comes, so a TLS connection that lost bytes is worthless afterwards, as in life.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass

_CHUNK = 16_384
_POLL_S = 0.05
_RST = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST


@dataclass(frozen=True)
class Weather:
    """`latency_s` delays every chunk, `stall` holds bytes back, `swallow` loses them, `refuse` closes new connections.

    A stall ends with everything delivered: that is what lost packets look like to TCP.
    """

    latency_s: float = 0.0
    stall: bool = False
    swallow: bool = False
    refuse: bool = False


FAIR = Weather()


class Proxies:
    """`count` proxies on ports of their own, all to `target`."""

    def __init__(self, count: int, target: tuple[str, int]) -> None:
        self._target = target
        self._weather = [FAIR] * count
        self._open: list[set[asyncio.StreamWriter]] = [set() for _ in range(count)]
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        self.ports = [int(listener.getsockname()[1]) for listener in self._sockets]
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxies", daemon=True)
        self._thread.start()
        self._ready.wait()

    def set(self, index: int, weather: Weather) -> None:
        """Change the weather of one node, now."""
        self._weather[index] = weather

    def reset(self, index: int) -> None:
        """Reset all connections of one node, at both ends."""
        self._loop.call_soon_threadsafe(self._reset, index)

    def close(self) -> None:
        """Close everything and end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        for index, listener in enumerate(self._sockets):
            self._loop.run_until_complete(
                asyncio.start_server(lambda r, w, at=index: self._serve(at, r, w), sock=listener)  # type: ignore[misc]
            )
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    def _reset(self, index: int) -> None:
        for writer in self._open[index]:
            raw = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
            writer.transport.abort()

    async def _serve(self, index: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a node, until either side ends it."""
        if self._weather[index].refuse:
            writer.close()
            return
        self._open[index].add(writer)
        while self._weather[index].swallow:  # not even the broker hears of it
            await asyncio.sleep(_POLL_S)
            if reader.at_eof():
                break
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            self._open[index].discard(writer)
            writer.close()
            return
        self._open[index].add(far_writer)
        await asyncio.gather(self._pump(index, reader, far_writer), self._pump(index, far_reader, writer))
        self._open[index] -= {writer, far_writer}

    async def _pump(self, index: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes one way."""
        try:
            while data := await reader.read(_CHUNK):
                weather = self._weather[index]
                if weather.latency_s:
                    await asyncio.sleep(weather.latency_s)
                while self._weather[index].stall:
                    await asyncio.sleep(_POLL_S)
                if not weather.swallow:
                    writer.write(data)
                    await writer.drain()
            while self._weather[index].swallow:  # the end of a connection is a packet too, and it is lost
                await asyncio.sleep(_POLL_S)
        except OSError:
            pass
        finally:
            writer.close()
