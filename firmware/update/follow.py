"""Carries an offer out: from the signed bytes to a slot that the next start tries."""

import asyncio
import deflate
import gc
import os

from firmware.update import GOOD, IMAGE_NOW, OFFER, PART, UpdateError, fetch, plan, running, slots, unpack
from firmware.wire import bundle, const, messages, releases

_LOOK_MS = const(500)
_GOOD_MS = const(10000)  # channels are watched for so long before a restart: the slowest part reads every 5 s


class Follower:
    """Follows the offer in OFFER for `node` (see `firmware.update.Node`) and reports."""

    def __init__(self, node, reports, offer: dict) -> None:
        self._node = node
        self._reports = reports
        self._offer = offer
        self._slot = running.slot()
        self._fetch: object = None
        self._sum = b""
        self._put: object = None
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Do what the offer says, or say why not; a restart ends it when all went well."""
        try:
            root = self._judge()
            if root:
                await self._install(root)
        except UpdateError as error:
            self._end(releases.FAILED, str(error))
        except (OSError, MemoryError, ValueError) as error:
            self._end(releases.FAILED, "%s: %s" % (type(error).__name__, error))

    def take_chunk(self, fields: dict) -> None:
        """A piece came: keep it when it is the next one."""
        piece, offset, data = self._fetch, fields["offset"], fields["data"]
        if piece and fields["sha256"] == self._sum:
            if piece.take(offset, fields["total"], len(data), self._node.clock.ticks_ms()):
                self._put(offset, data)
            self._wake.set()

    def _judge(self) -> dict | None:
        """Return the fields of a root that may be installed; None after saying why not, or how it ended before."""
        attempt = self._offer.get("attempt", 0)
        self._reports.about(0, attempt)
        try:
            root, expires_s = plan.open_offer(self._offer["root"], self._offer["offer"], self._node.keys)
        except UpdateError as error:
            return self._end(releases.REJECTED, str(error))
        number, bad, confirmed = root["number"], slots.bad(), slots.confirmed()[:1]
        self._reports.about(number, attempt)
        if bad and (bad.number, bad.attempt) == (number, attempt):
            return self._end(releases.ROLLED_BACK, bad.reason)
        if confirmed and confirmed[0].number == number == running.number_of(self._slot):
            return self._end(releases.SUCCEEDED, "")
        reason = plan.objection(root, expires_s, self._facts(confirmed))
        return self._end(releases.REJECTED, reason) if reason else root

    def _facts(self, confirmed: list) -> dict:
        clock = self._node.clock
        return {
            "now_s": clock.unix_s() or clock.floor_s,
            "family": running.family(),
            "board": self._node.settings["board"],
            "interpreter": running.interpreter(),
            "confirmed": confirmed[0].number if confirmed else 0,
        }

    async def _install(self, root: dict) -> None:
        while self._node.busy():
            self._reports.say(releases.DEFERRED, self._node.busy())
            await asyncio.sleep_ms(_LOOK_MS)
        tree, number = running.tree_of(self._slot), running.number_of(self._slot)
        steps = plan.steps(root, {"tree": tree, "image": read(IMAGE_NOW)})
        if plan.FETCH_IMAGE in steps:
            await self._fetch_image(*root["image"])
        if plan.FETCH not in steps:
            await self._write(None, root["tree"], self._slot)
        else:
            await self._fetch_tree(root["tree"], number)
        await self._swap(root, plan.FETCH_IMAGE in steps)

    async def _fetch_tree(self, tree: bytes, number: int) -> None:
        """Fetch what is missing and write the slot; when that fails, once more without anything of the old one."""
        for have in (number, 0):
            try:
                while await self._download(tree, have, _length(PART), releases.TREE_MAX_BYTES, _append) < 0:
                    slots.remove(PART)  # the manager makes another bundle now
                with open(PART, "rb") as part:
                    stream = deflate.DeflateIO(part, deflate.RAW, bundle.WINDOW_BITS)
                    return await self._write(stream, tree, self._slot if have else "")
            except UpdateError as error:
                if not have or (self._fetch and self._fetch.fault):
                    raise
                print("citynode: update: all of it anew:", error)
            finally:
                slots.remove(PART)

    async def _write(self, stream, tree: bytes, old: str) -> None:
        gc.collect()
        self._reports.say(releases.INSTALLING) if self._is_long() else None
        new = slots.spare(self._slot) + "/firmware"
        await unpack.Unpacker(stream, old + "/firmware" if old else "", new).run(tree)

    async def _fetch_image(self, sum_: bytes, size: int) -> None:
        from firmware.update.image import Image

        image = Image(self._node.ota().Ota(), self._node.replace, sum_, size)
        self._node.stall(True)
        try:
            while await self._download(sum_, None, image.begun(), size, image.put) != size:
                pass
            image.check()
        finally:
            self._node.stall(False)

    async def _download(self, sum_: bytes, have: int | None, got: int, most: int, put) -> int:
        """Fetch until all is there; return its length, -1 when it is not what it was. `put(offset, data)` keeps a
        piece."""
        self._sum, self._put = sum_, put
        self._fetch = piece = fetch.Fetch(got, most)
        link, was_connected = self._node.link, True
        while not piece.done and not piece.fault:
            if link.connected and not was_connected:
                piece.again()
            was_connected = link.connected
            while was_connected and self._ask(piece, sum_, have):
                pass
            await _first(self._wake, _LOOK_MS)
            if self._is_long():
                self._reports.say(releases.DOWNLOADING, "", piece.got, piece.total)
        if piece.fault == fetch.TOO_LONG:
            raise UpdateError("expected at most %d bytes, the manager has more" % most)
        return -1 if piece.fault else piece.got

    def _is_long(self) -> bool:
        """What is shorter is there before anybody reads that it comes."""
        return self._fetch is not None and self._fetch.total > fetch.WINDOW * releases.CHUNK_BYTES

    def _ask(self, piece, sum_: bytes, have: int | None) -> bool:
        due = piece.due(self._node.clock.ticks_ms())
        if due:
            wanted = {"sha256": sum_, "offset": due[0], "count": due[1]}
            if have is not None:
                wanted["from"] = have
            self._node.link.publish_latest("want", messages.encode("want", wanted))
        return bool(due)

    async def _swap(self, root: dict, has_image: bool) -> None:
        """Note what is well now, then let the next start try the new slot: one rename."""
        if self._is_long():
            self._reports.say(releases.VERIFIED)
        good: set = set()
        began, clock = self._node.clock.ticks_ms(), self._node.clock
        while clock.ticks_diff(clock.ticks_ms(), began) < _GOOD_MS:
            good.update(self._node.readings())
            await asyncio.sleep_ms(_LOOK_MS)
        self._node.replace(GOOD, "\n".join(sorted(good)).encode())
        self._node.forget_starts()
        if has_image:
            self._node.ota().Ota().try_next()
        trial = slots.Trial(slots.spare(self._slot), root["number"], root["tree"], self._reports.attempt, 0)
        slots.begin(self._node.replace, trial)
        self._reports.say(releases.REBOOTING)
        self._node.reboot("release %d is tried" % root["number"])
        await asyncio.Event().wait()

    def _end(self, state: str, reason: str) -> None:
        self._reports.say(state, reason)
        slots.remove(PART)
        slots.remove(OFFER)


def read(name: str) -> bytes:
    """Return what is in a file, b'' when it is not there."""
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _length(name: str) -> int:
    try:
        return os.stat(name)[6]
    except OSError:
        return 0


def _append(offset: int, data: bytes) -> None:
    with open(PART, "ab") as file:
        file.write(data)


async def _first(event, timeout_ms: int) -> None:
    """Wait for the event, or for so long."""
    try:
        await asyncio.wait_for_ms(event.wait(), timeout_ms)
    except asyncio.TimeoutError:
        pass
    event.clear()
