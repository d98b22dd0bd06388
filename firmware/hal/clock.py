"""Time: monotonic ticks, uptime and Unix time, whatever the port's epoch and tick width.

Three differences between ports end here: esp32 counts seconds from 2000 and the unix port from 1970; `time.time()` is
an int or a float; `ticks_ms` wraps after 12.4 days on esp32. A clock that was never set counts from its epoch, so Unix
time below a floor (or far beyond it) means "not synchronised" and is None: no reading may carry a made-up date.

The floor is the latest moment that is certainly over: when this firmware was made, the node was provisioned, its
certificate began, the clock was right for the last time. A time below it is a lie, whoever tells it. TLS needs some
time even when nobody told one: `guess()` sets the chip's clock to the floor, and `unix_s()` stays None.
"""

import time

import machine
from micropython import const

FLOOR_UNIX_S = 1767225600  # 2026-01-01: this firmware did not exist before
CEILING_UNIX_S = FLOOR_UNIX_S + 40 * 31557600
_SECONDS_1970_TO_2000 = const(946684800)


class Clock:
    """`seconds` counts from the start of `epoch_year`, `ticks` is a counter of ms that may wrap, `diff` knows how."""

    def __init__(self, seconds=time.time, epoch_year: int = 0, ticks=time.ticks_ms, diff=time.ticks_diff) -> None:
        self._seconds = seconds
        self._offset_s = _SECONDS_1970_TO_2000 if (epoch_year or time.gmtime(0)[0]) == 2000 else 0
        self._ticks = ticks
        self._diff = diff
        self._last_ticks = ticks()
        self._uptime_s = self._uptime_rest_ms = 0
        self.floor_s = FLOOR_UNIX_S
        self.guessed = False  # the chip's clock was set to the floor, now or before the last reset

    def ticks_ms(self) -> int:
        """Milliseconds of a counter that wraps: only `ticks_diff` may compare two of them."""
        return self._ticks()

    def ticks_diff(self, later, earlier) -> int:
        """Milliseconds from `earlier` to `later`, right across a wrap when they are less than 6 days apart."""
        return self._diff(later, earlier)

    def raise_floor(self, unix_s: int) -> None:
        """No time below `unix_s` is believed from now on; a floor beyond the ceiling is damaged and ignored."""
        if self.floor_s < unix_s < CEILING_UNIX_S:
            self.floor_s = unix_s

    def unix_s(self) -> int | None:
        """Unix time in whole seconds, or None while the clock is not synchronised."""
        now_s = int(self._seconds()) + self._offset_s
        return now_s if not self.guessed and self.floor_s <= now_s < CEILING_UNIX_S else None

    def set_unix_s(self, unix_s: int) -> bool:
        """Set the chip's clock; False for a time that cannot be."""
        if not self.floor_s <= unix_s < CEILING_UNIX_S:
            return False
        self._set(unix_s)
        self.guessed = False
        return True

    def guess(self) -> None:
        """Nobody has told the time: set the clock to the floor, so that TLS can judge certificates."""
        if self.unix_s() is None:
            self._set(max(self.floor_s, int(self._seconds()) + self._offset_s if self.guessed else 0))
            self.guessed = True

    def uptime_s(self) -> int:
        """Whole seconds since this object was made; call it at least every 6 days (the sampler does every second)."""
        now = self._ticks()
        rest_ms = self._uptime_rest_ms + self._diff(now, self._last_ticks)
        self._last_ticks = now
        self._uptime_s += rest_ms // 1000
        self._uptime_rest_ms = rest_ms % 1000
        return self._uptime_s

    def ms_to_next_second(self) -> int:
        """Milliseconds until the second of the clock changes, 1..1000, synchronised or not."""
        return 1000 - time.time_ns() // 1000000 % 1000

    def _set(self, unix_s: int) -> None:
        utc = time.gmtime(unix_s - self._offset_s)
        machine.RTC().datetime(utc[:3] + (utc[6],) + utc[3:6] + (0,))
