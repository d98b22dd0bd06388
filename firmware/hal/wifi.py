"""Wi-Fi station: join with a deadline, and signal strength."""

import asyncio
import time

import network

POLL_MS = 200


class Wifi:
    """One access point, by the node's configuration: {"ssid": text, "password": text}."""

    def __init__(self, config: dict) -> None:
        self._ssid = config["ssid"]
        self._password = config["password"]
        self._wlan = network.WLAN(network.STA_IF)

    def connected(self) -> bool:
        """True while the station is joined and has an address."""
        return self._wlan.isconnected()

    async def join(self, deadline_ms: int = 30000) -> bool:
        """Join, waiting at most `deadline_ms`; False when that was not enough (an OSError of the driver counts too)."""
        if self.connected():
            return True
        started = time.ticks_ms()
        try:
            self._wlan.active(True)
            self._wlan.connect(self._ssid, self._password)
        except OSError:
            self.leave()
            return False
        while not self.connected():
            if time.ticks_diff(time.ticks_ms(), started) > deadline_ms:
                self.leave()
                return False
            await asyncio.sleep_ms(POLL_MS)
        return True

    def rssi(self) -> int | None:
        """Signal strength in dBm, or None while not joined."""
        return self._wlan.status("rssi") if self.connected() else None

    def leave(self) -> None:
        """Switch the radio off; a station left half-way refuses the next connect() with "Wifi Internal Error"."""
        self._wlan.active(False)
