"""Somebody who signs orders: fresh keys in a directory of their own."""

import tempfile
from pathlib import Path

from device_manager.identities.order_keys import OrderKeys


class Signing(OrderKeys):
    """Keys that vanish with the test."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        super().__init__(Path(self._folder.name), lambda: None)
