"""What runs now: slot, number, board, native code and interpreter."""

import sys

import firmware
from firmware.update import slots

_ABI = "_mpy"  # spelt as text, so that the build does not shorten it
_FAMILIES = {2: "x64", 10: "xtensawin", 11: "rv32imc"}  # py/persistentcode.h, MP_NATIVE_ARCH_*


def slot() -> str:
    """Return the slot that this code was imported from, '' for the code that the node was provisioned with."""
    name = firmware.__file__.split("/")[0]
    return name if name in slots.NAMES else ""


def number_of(name: str) -> int:
    """Return the number of the release in a slot, 0 when no marker names it."""
    for found in [slots.trial()] + slots.confirmed():
        if found and found.name == name:
            return found.number
    return 0


def tree_of(name: str) -> bytes:
    """Return the sum of the tree in a slot, b'' when no marker names it."""
    for found in [slots.trial()] + slots.confirmed():
        if found and found.name == name:
            return found.tree
    return b""


def family() -> str:
    """Return the name of the native code that this interpreter loads."""
    return _FAMILIES.get(getattr(sys.implementation, _ABI) >> 10 & 15, "")


def interpreter() -> int:
    """Return the version of MicroPython as major << 8 | minor."""
    return sys.implementation.version[0] << 8 | sys.implementation.version[1]


def about(board: str) -> dict:
    """Return what the state message says of this."""
    return {"release": number_of(slot()), "board": board, "family": family()}
