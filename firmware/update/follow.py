"""Carries an offer out: from the signed bytes to a slot that the next start tries.

Each step loads what it needs and forgets it: beside TLS a node has no room for all of it at once.
"""

import asyncio
import gc
import os

from firmware import forget
from firmware.update import GOOD, OFFER, PART, UpdateError, running, slots
from firmware.wire import const, progress

FETCH_IMAGE, FETCH = "fetch image", "fetch"  # as in plan
_LOOK_MS = const(500)
_GOOD_MS = const(10000)  # channels are watched for so long before a restart: the slowest part reads every 5 s


class Follower:
    """Follows an offer for `node` (see `firmware.update.Node`) and reports."""

    def __init__(self, node, reports, offer: dict) -> None:
        self._node = node
        self._reports = reports
        self._offer = offer
        self._slot = running.slot()
        self._take = ignore

    async def run(self) -> None:
        """Do what the offer says, or say why not; a restart ends it when all went well."""
        try:
            root = self._judge()
            if root:
                await self._install(root)
        except UpdateError as error:
            self._end(progress.FAILED, str(error))
        except (OSError, MemoryError, ValueError) as error:
            self._end(progress.FAILED, "%s: %s" % (type(error).__name__, error))

    def take_chunk(self, fields: dict) -> None:
        """A piece of what is fetched."""
        self._take(fields)

    def _judge(self) -> dict | None:
        from firmware.update import judging

        attempt = self._offer.get("attempt", 0)
        root, number, state, reason = judging.judge(self._offer, self._node)
        forget("update.judging", "update.plan", "wire.cose", "wire.releases")
        self._offer = {}  # it lies in a file
        self._reports.about(number, attempt)
        if state:
            self._end(state, reason)
        return root

    async def _install(self, root: dict) -> None:
        while self._node.busy():
            self._reports.say(progress.DEFERRED, self._node.busy())
            await asyncio.sleep_ms(_LOOK_MS)
        image = root["image"] if FETCH_IMAGE in root["steps"] else None
        number, tree = root["number"], root["tree"]
        fetched = FETCH in root["steps"]
        root.clear()
        if image:
            await self._fetch_image(*image)
        if fetched:
            await self._fetch_tree(tree, running.number_of(self._slot))
        else:
            await self._write(False, tree, self._slot)
        await self._swap(number, tree, bool(image))

    async def _fetch_tree(self, tree: bytes, number: int) -> None:
        """Fetch what is missing and write the slot; when that fails, once more without anything of the old one."""
        for have in (number, 0):
            try:
                while not await self._fetch(tree, have, _length(PART), progress.TREE_MAX_BYTES, _append):
                    slots.remove(PART)  # the manager makes another bundle now
                return await self._write(True, tree, self._slot if have else "")
            except UpdateError as error:
                slots.remove(PART)
                if not have or str(error).startswith("expected at most"):
                    raise
                print("citynode: update: all of it anew:", error)

    async def _fetch(self, sum_: bytes, have: int | None, got: int, most: int, put) -> bool:
        gc.collect()
        from firmware.update.download import Download

        download = Download(self._node, sum_, have, got, most, put)
        self._take = download.take
        forget("update.download", "update.fetch")
        try:
            whole = await download.run(self._reports)
            if whole and download.is_long:
                self._reports.say(progress.INSTALLING)
            return whole
        finally:
            self._take = ignore

    async def _write(self, fetched: bool, tree: bytes, old: str) -> None:
        gc.collect()
        from firmware.update import unpack

        new = slots.spare(self._slot) + "/firmware"
        try:
            await unpack.write(PART if fetched else "", tree, old + "/firmware" if old else "", new)
        finally:
            forget("update.unpack", "wire.bundle", "wire.releases")
        gc.collect()

    async def _fetch_image(self, sum_: bytes, size: int) -> None:
        from firmware.update.image import Image

        image = Image(self._node.ota().Ota(), self._node.replace, sum_, size)
        self._node.stall(True)
        try:
            while not await self._fetch(sum_, None, image.begun(), size, image.put):
                pass
            image.check()
        finally:
            self._node.stall(False)
            forget("update.image")

    async def _swap(self, number: int, tree: bytes, has_image: bool) -> None:
        """Note what is well now, then let the next start try the new slot: one rename."""
        good: set = set()
        began, clock = self._node.clock.ticks_ms(), self._node.clock
        while clock.ticks_diff(clock.ticks_ms(), began) < _GOOD_MS:
            good.update(self._node.readings())
            await asyncio.sleep_ms(_LOOK_MS)
        self._node.replace(GOOD, "\n".join(sorted(good)).encode())
        self._node.forget_starts()
        if has_image:
            from firmware.update import image

            image.try_next(self._node)
        trial = slots.Trial(slots.spare(self._slot), number, tree, self._reports.attempt, 0)
        slots.begin(self._node.replace, trial)
        slots.remove(PART)
        self._reports.say(progress.REBOOTING)
        self._node.reboot("release %d is tried" % number)
        await asyncio.Event().wait()

    def _end(self, state: str, reason: str) -> None:
        self._reports.say(state, reason)
        slots.remove(PART)
        slots.remove(OFFER)


def ignore(fields: dict) -> None:
    """Nobody waits for a piece."""


def _length(name: str) -> int:
    try:
        return os.stat(name)[6]
    except OSError:
        return 0


def _append(offset: int, data: bytes) -> None:
    with open(PART, "ab") as file:
        file.write(data)
