"""Sets the clock by time servers. Loaded on nodes that have some; the manager's word needs none of this."""

import asyncio

from firmware.hal import ntp
from firmware.wire import const

EVERY_S = 6 * 3600  # the crystal drifts by less than a second in this time
_RETRY_S = const(15)


class Timekeeper:
    """Asks `hosts` while `wifi` is connected; `set_time(unix_s)` hears of a clock that is off by more than a second."""

    def __init__(self, hosts: list, clock, wifi, set_time) -> None:
        self._hosts = hosts
        self._clock = clock
        self._wifi = wifi
        self._set_time = set_time
        self.asks = 0  # the task's sign of life

    async def run(self) -> None:
        """Ask for ever: every six hours, and every 15 s while nobody answers."""
        while True:
            unix_s = None
            for host in self._hosts if self._wifi.connected() else ():
                unix_s = unix_s or await ntp.ask(host)
            if unix_s and abs(unix_s - (self._clock.unix_s() or 0)) > 1:
                self._set_time(unix_s)
            self.asks += 1
            await asyncio.sleep(EVERY_S if unix_s else _RETRY_S)
