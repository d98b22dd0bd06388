"""Carries out signed orders for `app`: few nodes get one in a month, so this is loaded when one comes, and forgotten.

What an order may be, and how other settings are tried, is in `firmware.trust`.
"""

import asyncio

from firmware import forget
from firmware.hal import system
from firmware.hal.flash import Flash
from firmware.trust import desk, files, trial

_POLL_MS = 250
_REPLY_MS = 2000  # long enough for the reply to leave
_MODULES = ("trust.desk", "trust.trial", "trust.files", "trust", "wire.cose", "wire.orders", "orderly")


def obey(node, signed: bytes) -> None:
    """Take a signed order for `node` (`app.Node`): answer it, wipe, or restart with what is to be tried."""
    reply, action = desk.take(signed, node.settings["node"], node.clock.unix_s())
    if reply:
        node.answer(reply)
    if action == desk.WIPE:
        node.wiping = asyncio.create_task(_wipe_soon())
    elif action:
        node.reboot({}, "other settings are tried")


async def decide(node) -> None:
    """Decide on settings that are tried: the manager's answer keeps them."""
    reply = await judge(node.link, node.clock, node.settings["trial"][1])
    node.answer(reply)
    if not reply["ok"]:
        node.reboot({}, reply["reason"])


async def _wipe_soon() -> None:
    await asyncio.sleep_ms(_REPLY_MS)
    wipe()
    system.reset()


def enter(settings: dict, check) -> dict:
    """See `firmware.trust.trial.enter`."""
    return trial.enter(settings, check)


async def judge(link, clock, within_s: int) -> dict:
    """Wait until the manager has answered with the tried settings, or not in time; return the fields of the reply."""
    began_s = clock.uptime_s()
    while not link.committed:
        if clock.uptime_s() - began_s > within_s:
            last = link.last_error or "still at " + link.session.state
            why = "no answer of the manager within %d s: %s" % (within_s, last)
            print("citynode: taking settings back:", why)
            return trial.take_back(why)
        await asyncio.sleep_ms(_POLL_MS)
    return trial.keep()


def wipe() -> None:
    """Erase readings, keys, certificates and settings."""
    flash = Flash("outbox")
    for block in range(flash.size_bytes // flash.BLOCK):
        flash.erase(block)
    files.wipe()


def forget_all() -> None:
    """Give the memory of these modules back."""
    forget(*_MODULES)
