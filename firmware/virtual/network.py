"""Shim of `network`: a station that is joined as soon as it asks, unless virtual.json says otherwise.

`"wifi"` there is "up" (every network), "down" (none), or the one network that there is: {"ssid": .., "password": ..}.
"""

from machine import BOARD

STA_IF = 0
RSSI_DBM = -61


class WLAN:
    """The station interface, as far as the hal uses it."""

    def __init__(self, id: int = STA_IF) -> None:
        self._active = self._joined = False
        self._asked: dict = {}

    def active(self, on: object = None) -> bool:
        """Switch the interface on or off, or ask."""
        if on is not None:
            self._active = bool(on)
            self._joined = self._joined and self._active
        return self._active

    def connect(self, ssid: str, password: str = "") -> None:
        """Join; like the chip, refuse while switched off."""
        if not self._active:
            raise OSError("Wifi Not Started")
        self._joined = True
        self._asked = {"ssid": ssid, "password": password}

    def isconnected(self) -> bool:
        """True when joined and the file does not say otherwise."""
        return self._joined and BOARD.option("wifi", "up") in ("up", self._asked)

    def status(self, what: str) -> int:
        """status('rssi') in dBm; the hal asks for nothing else."""
        if what != "rssi":
            raise ValueError("expected status('rssi'), got %s" % repr(what))
        return RSSI_DBM
