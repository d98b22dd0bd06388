"""What follows the restart: a trial is watched, an end told, and what was put off is taken up again."""

import asyncio

from firmware import forget
from firmware.update import GOOD, IMAGE_NOW, IMAGE_TRY, OFFER, proof, running, slots
from firmware.update.slots import read
from firmware.wire import WireError, const, messages, progress

_LOOK_MS = const(500)


class Trials:
    """`node` as `firmware.update.Node` has it."""

    def __init__(self, node, reports) -> None:
        self._node = node
        self._reports = reports

    async def settle(self) -> None:
        """Do what the markers ask for; return when no trial is left."""
        trial = slots.trial()
        if trial and trial.name == running.slot():
            await self._prove(trial)
        elif read(IMAGE_TRY):
            await self._let_go()
        bad, waiting = slots.bad(), slots.trial(slots.WAIT)
        if bad:
            await self._tell(bad)
        if waiting:
            await self._take_up(waiting)

    async def _image_again(self, number: int) -> None:
        """The bootloader went back: the image ended before it was kept. boot.py counts how often that may be."""
        from firmware.update import image

        image.try_next(self._node)
        self._node.reboot("release %d: its image is tried again" % number)
        await asyncio.Event().wait()

    async def _let_go(self) -> None:
        """An image is on trial and the app is not: a restart brings the old image back, where it is not back yet."""
        runs = self._runs()
        slots.remove(IMAGE_TRY)
        if runs:
            self._node.reboot("an image without its app goes back")
            await asyncio.Event().wait()

    def _runs(self) -> bool:
        """True when the image on trial runs, or none is."""
        label = read(IMAGE_TRY).decode()
        return not label or label == self._node.ota().running()

    async def _prove(self, trial) -> None:
        """Watch the release that is on trial until it is kept or taken back."""
        node, reports = self._node, self._reports
        reports.about(trial.number, trial.attempt)
        names = read(GOOD).decode().split("\n")
        judge = proof.Proof([name for name in names if name], node.settings["trial_s"], trial.strike)
        if not self._runs():
            return await self._image_again(trial.number)
        word, reason = proof.GO_ON, ""
        while word in (proof.GO_ON, proof.WAIT):
            for name in node.readings():
                judge.see(name)
            link = node.link
            if word == proof.WAIT:
                node.forget_starts()  # it has run for the whole limit: whatever cuts its power now is not its fault
            if link.connected:
                reports.say(progress.DEFERRED if word == proof.WAIT else progress.CONFIRMING, reason)
            await asyncio.sleep_ms(_LOOK_MS)
            facts = proof.Facts(node.clock.uptime_s(), link.connected, link.committed, node.frame_is_in())
            word, reason = judge.judge(facts)
        self._decide(trial, word, reason)
        if word != proof.CONFIRM:
            await asyncio.Event().wait()

    def _decide(self, trial, word: str, reason: str) -> None:
        node = self._node
        node.forget_starts()
        if word == proof.CONFIRM:
            if read(IMAGE_TRY):
                node.ota().keep()
                node.replace(IMAGE_NOW, offered_image())
                slots.remove(IMAGE_TRY)
            slots.confirm(node.replace, trial)
            slots.remove(OFFER)
            return self._reports.say(progress.SUCCEEDED)
        print("citynode: update: taking release %d back: %s" % (trial.number, reason))
        if word == proof.PUT_OFF:
            slots.put_off(node.replace, trial)
        else:
            slots.give_up(node.replace, trial, reason)
            self._reports.say(progress.ROLLED_BACK, reason)
        node.reboot("release %d: %s" % (trial.number, reason))

    async def _tell(self, bad) -> None:
        """The last trial ended with another start, or a slot is damaged: say so when somebody listens."""
        while not self._node.link.committed:
            await asyncio.sleep_ms(_LOOK_MS)
        self._reports.about(bad.number, bad.attempt)
        self._reports.say(progress.ROLLED_BACK, bad.reason)
        if _attempt_followed() == bad.attempt:
            slots.remove(OFFER)

    async def _take_up(self, waiting) -> None:
        """A trial was put off because it reached nobody: try again once this release does."""
        node = self._node
        while not node.link.committed:
            await asyncio.sleep_ms(_LOOK_MS)
        self._reports.about(waiting.number, waiting.attempt)
        self._reports.say(progress.DEFERRED, "no connection in trial %d; it begins again" % waiting.strike)
        if offered_image() not in (b"", read(IMAGE_NOW)):
            from firmware.update import image

            image.try_next(node)  # first: an app on trial without its image would prove itself on the old one
        slots.take_up(node.replace, waiting)
        node.reboot("release %d is tried again" % waiting.number)
        await asyncio.Event().wait()


def _followed() -> dict:
    try:
        return messages.decode("offer", read(OFFER))
    except WireError:  # none is followed
        return {}


def _attempt_followed() -> int:
    return _followed().get("attempt", 0)


def offered_image() -> bytes:
    """Return the sum of the image in the offer that is followed, b'' when it has none; it was verified before."""
    from firmware.wire import cbor, releases

    root = _followed().get("root")
    parts = cbor.decode(root) if root else None
    image = releases.check_root(parts[2])["image"] if isinstance(parts, list) else None
    forget("wire.releases")
    return image[0] if image else b""
