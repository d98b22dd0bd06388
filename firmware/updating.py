"""Carries out updates for `app`: few nodes get one in a month, so this is loaded when one comes, and forgotten.

What an update is, is in `firmware.update`; what the words mean, in `firmware.wire.releases`.
"""

import asyncio

from firmware import forget
from firmware.hal import files, nvs
from firmware.update import IMAGE_TRY, OFFER, Node, slots
from firmware.update.reports import Reports
from firmware.update.slots import read
from firmware.wire import WireError, const, messages, quality

KEYS = "releases.keys"
_KEY_BYTES = const(384)
_AGAINST = quality.WARM_UP | quality.OUT_OF_RANGE | quality.STUCK | quality.FAULT
_MODULES = (
    "updating", "update.follow", "update.reports", "update.running", "update.slots", "update", "hal.ota", "hal.nvs",
    "hal.files",
)  # fmt: skip


class Updating:
    """One task that settles trials and follows offers for a node (`app.Node`), and the messages that it needs."""

    def __init__(self, app) -> None:
        self._app = app
        node = Node(
            app.settings, app.clock, app.link, self._readings, self._frame_is_in, self._busy, self._forget_starts,
            lambda reason: app.reboot({}, reason), self._stall, files.replace, read_keys, _ota,
        )  # fmt: skip
        self._node = node
        self._reports = Reports(app.link, app.clock)
        self._offer: dict = {}
        self._take_chunk = _ignore
        self._task: asyncio.Task | None = None
        self._changed = False  # another offer came while one was followed

    def take(self, kind: str, fields: dict) -> None:
        """A message of the manager: an offer or a chunk."""
        if kind == "chunk":
            self._take_chunk(fields)
        elif fields == (self._offer or _stored()):
            self._reports.again()
        elif not slots.trial() and not slots.trial(slots.WAIT):  # else that is decided first; the offer comes again
            self._offer = fields
            files.replace(OFFER, messages.encode("offer", fields))
            if self._task:
                self._changed = True
                self._task.cancel()

    async def run(self) -> None:
        """Finish what is under way, then what is offered; return when nothing is left to do."""
        if slots.trial() or slots.bad() or slots.trial(slots.WAIT) or read(IMAGE_TRY):
            await self._settle()
        while True:
            self._offer = _stored()
            if not self._offer:
                return
            from firmware.update.follow import Follower

            follower = Follower(self._node, self._reports, self._offer)
            self._take_chunk = follower.take_chunk
            self._task = asyncio.create_task(follower.run())
            try:
                await self._task
            except asyncio.CancelledError:
                if not self._changed:
                    raise
                self._changed = False

    async def _settle(self) -> None:
        from firmware.update.trial import Trials

        await Trials(self._node, self._reports).settle()
        forget("update.trial", "update.proof")

    def _readings(self) -> list:
        """Names of the channels, "air pm2_5", that have a reading now that nothing is known against."""
        values, flags = self._app.sampler.values, self._app.sampler.flags
        return [
            "%s %s" % (sensor.name, name)
            for sensor in self._app.sensors
            for at, name in enumerate(sensor.driver.inputs, sensor.first)
            if values[at] is not None and not flags[at] & _AGAINST
        ]

    def _frame_is_in(self) -> bool:
        return 0 <= self._app.first_frame <= self._app.outbox.released

    def _busy(self) -> str:
        if self._app.maintenance.on:
            return "maintenance"
        return "other settings are tried" if read("trial.json") else ""

    def _stall(self, on: bool) -> None:
        self._app.stalled = on

    def _forget_starts(self) -> None:
        """Forget what boot.py has counted."""
        self._app.rtc.tail = b""
        if nvs.read("trial"):
            nvs.write("trial", 0)


def read_keys():
    """Yield the moduli of the keys that may sign releases; none when the node was provisioned without."""
    data = read(KEYS)
    for at in range(0, len(data), _KEY_BYTES):
        yield data[at : at + _KEY_BYTES]


def forget_all() -> None:
    """Give the memory of these modules back."""
    forget(*_MODULES)


def _ignore(fields: dict) -> None:
    pass  # a piece that nobody waits for


def _ota():
    from firmware.hal import ota

    return ota


def _stored() -> dict:
    try:
        return messages.decode("offer", read(OFFER))
    except WireError:  # none
        return {}
