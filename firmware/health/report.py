"""Collects the fields of the health message; what it reports on comes in as objects and functions."""

from firmware.wire.messages import TEXT_MAX_BYTES


class Health:
    """Where the fields come from.

    `heap_free()` collects garbage and returns free bytes; `rssi()` is in dBm or None; `sensors` have name and faults,
    `outbox` buffered and lost, `link` resent, bad_watermarks, unknown and last_error.
    """

    def __init__(self, boot: int, reset_cause: str, clock, heap_free, rssi, outbox, link) -> None:
        self._boot = boot
        self._reset_cause = reset_cause
        self._clock = clock
        self._heap_free = heap_free
        self._rssi = rssi
        self._heap_floor = 1 << 30
        self._last_error = self._link_error = ""
        self._outbox = outbox
        self._link = link
        self.sensors: list = []  # filled while they are opened, which already may note errors

    def note(self, error: str) -> None:
        """Keep an error as the last one."""
        error = error[:TEXT_MAX_BYTES]
        while len(error.encode()) > TEXT_MAX_BYTES:
            error = error[:-1]
        self._last_error = error

    def fields(self) -> dict:
        """The fields for messages.encode('health', ...)."""
        heap_free = self._heap_free()
        if self._link.last_error != self._link_error:
            self._link_error = self._link.last_error
            self.note("link: " + self._link_error)
        self._heap_floor = min(self._heap_floor, heap_free)
        return {
            "boot": self._boot,
            "uptime_s": self._clock.uptime_s(),
            "time": self._clock.unix_s(),
            "reset_cause": self._reset_cause,
            "heap_free": heap_free,
            "heap_floor": self._heap_floor,
            "buffered": self._outbox.buffered,
            "lost": self._outbox.lost,
            "resent": self._link.resent,
            "bad_watermarks": self._link.bad_watermarks,
            "rssi": self._rssi(),
            "faults": [[sensor.name, sensor.faults] for sensor in self.sensors if sensor.faults],
            "last_error": self._last_error,
            "unknown": self._link.unknown,
        }
