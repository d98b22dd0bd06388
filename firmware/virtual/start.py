"""Starts a virtual node as its chip would: boot.py, then the app of the slot that it picked.

    micropython -m firmware.virtual.start

in the node's directory, with MICROPYPATH as for `firmware.main`. The package `firmware` on that path is the code that
the node was provisioned with; these shims are its hardware and stay with every slot.
"""

import os
import sys

from firmware import boot, forget


def _forget_code() -> None:
    """Forget all of the package but the shims, so that the next import finds the slot's."""
    for name in list(sys.modules):
        if name == "firmware" or (name.startswith("firmware.") and not name.startswith("firmware.virtual")):
            del sys.modules[name]


def _start_image() -> None:
    """Do what the bootloader does, where an image was ever written."""
    try:
        os.stat("ota.json")
    except OSError:
        return
    from firmware.virtual import ota

    ota.boot()


_start_image()
if boot.run():
    _forget_code()
else:
    forget("boot")
del boot, forget, os, _forget_code, _start_image

from firmware.main import main  # noqa: E402 - boot.py decides from where

main()
