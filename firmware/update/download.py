"""Fetches an artifact over the session: asks as `fetch` says, hands every piece to whoever keeps it."""

import asyncio

from firmware.update import UpdateError
from firmware.update.fetch import TOO_LONG, WINDOW, Fetch
from firmware.wire import const, messages, progress

_LOOK_MS = const(500)


class Download:
    """`sum_` names the artifact, `have` the release from which a bundle leads (None: an image). `put(offset, data)`
    keeps a piece; `got` bytes are kept already, more than `most` are refused."""

    def __init__(self, node, sum_: bytes, have: int | None, got: int, most: int, put) -> None:
        self._node = node
        self._sum = sum_
        self._have = have
        self._put = put
        self._most = most
        self._wake = asyncio.Event()
        self.fetch = Fetch(got, most)

    @property
    def is_long(self) -> bool:
        """What is shorter is there before anybody reads that it comes."""
        return self.fetch.total > WINDOW * progress.CHUNK_BYTES

    def take(self, fields: dict) -> None:
        """A piece came: keep it when it is the next one."""
        offset, data = fields["offset"], fields["data"]
        if fields["sha256"] == self._sum:
            if self.fetch.take(offset, fields["total"], len(data), self._node.clock.ticks_ms()):
                self._put(offset, data)
            self._wake.set()

    async def run(self, reports) -> bool:
        """Fetch until all is there; False when it has become another one. UpdateError when it is too long."""
        piece, link, was_connected = self.fetch, self._node.link, True
        while not piece.done and not piece.fault:
            if link.connected and not was_connected:
                piece.again()
            was_connected = link.connected
            while was_connected and self._ask():
                pass
            await _first(self._wake, _LOOK_MS)
            if self.is_long:
                reports.say(progress.DOWNLOADING, "", piece.got, piece.total)
        if piece.fault == TOO_LONG:
            raise UpdateError("expected at most %d bytes, the manager has more" % self._most)
        return not piece.fault

    def _ask(self) -> bool:
        due = self.fetch.due(self._node.clock.ticks_ms())
        if due:
            wanted = {"sha256": self._sum, "offset": due[0], "count": due[1]}
            if self._have is not None:
                wanted["from"] = self._have
            self._node.link.publish_latest("want", messages.encode("want", wanted))
        return bool(due)


async def _first(event, timeout_ms: int) -> None:
    """Wait for the event, or for so long."""
    try:
        await asyncio.wait_for_ms(event.wait(), timeout_ms)
    except asyncio.TimeoutError:
        pass
    event.clear()
