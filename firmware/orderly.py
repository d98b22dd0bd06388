"""Carries out signed orders for `app`: few nodes get one in a month, so this is loaded when one comes, and forgotten.

What an order may be, and how other settings are tried, is in `firmware.trust`.
"""

import asyncio
import sys

import firmware
from firmware.hal.flash import Flash
from firmware.trust import desk, files, trial

WIPE = desk.WIPE
_POLL_MS = 250
_MODULES = ("trust.desk", "trust.trial", "trust.files", "trust", "wire.cose", "wire.orders", "orderly")


def take(signed: bytes, node: str, now_s: int | None) -> tuple:
    """See `firmware.trust.desk.take`."""
    return desk.take(signed, node, now_s)


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


def forget() -> None:
    """Give the memory of these modules back."""
    for name in _MODULES:
        owner, _, last = ("firmware." + name).rpartition(".")
        sys.modules.pop("firmware." + name, None)
        if hasattr(sys.modules.get(owner, firmware), last):
            delattr(sys.modules.get(owner, firmware), last)
