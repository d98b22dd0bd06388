"""Collects the fields of the health message; what it reports on comes in as objects and functions."""

from firmware.health.note import clip


class Health:
    """Where the fields come from.

    `heap_free()` collects garbage and returns free bytes; `rssi()` is in dBm or None; `sensors` have name and faults,
    `outbox` buffered and lost, `link` resent, bad_watermarks, unknown and last_error. `before` is the `note.Note` of
    the boot before this one, `lateness()` as `supervisor.Supervisor` has it,
    `temperature()` is the chip's in degrees Celsius or None.
    """

    def __init__(
        self, boot: int, reset_cause: str, clock, heap_free, rssi, outbox, link, before, lateness, temperature
    ) -> None:
        self._boot = boot
        self._reset_cause = reset_cause
        self._clock = clock
        self._heap_free = heap_free
        self._rssi = rssi
        self._before = before
        self._lateness = lateness
        self._temperature = temperature
        self.heap_floor = 1 << 30  # the lowest that a report has seen
        self._last_error = self._link_error = ""
        self._outbox = outbox
        self._link = link
        self.sensors: list = []  # filled while they are opened, which already may note errors

    def note(self, error: str) -> None:
        """Keep an error as the last one."""
        self._last_error = clip(error)

    def fields(self) -> dict:
        """The fields for messages.encode('health', ...)."""
        heap_free = self._heap_free()
        if self._link.last_error != self._link_error:
            self._link_error = self._link.last_error
            self.note("link: " + self._link_error)
        self.heap_floor = min(self.heap_floor, heap_free)
        fields = {
            "boot": self._boot,
            "uptime_s": self._clock.uptime_s(),
            "time": self._clock.unix_s(),
            "reset_cause": self._reset_cause,
            "heap_free": heap_free,
            "heap_floor": self.heap_floor,
            "buffered": self._outbox.buffered,
            "lost": self._outbox.lost,
            "resent": self._link.resent,
            "bad_watermarks": self._link.bad_watermarks,
            "rssi": self._rssi(),
            "faults": [[sensor.name, sensor.faults] for sensor in self.sensors if sensor.faults],
            "last_error": self._last_error,
            "unknown": self._link.unknown,
            "lateness": self._lateness(),
        }
        temperature = self._temperature()
        if temperature is not None:
            fields["chip_temperature"] = temperature
        if self._before.found:
            fields["last_crash"] = self._before.last_crash
            fields["last_heap_floor"] = self._before.last_heap_floor
            fields["last_lateness"] = self._before.last_lateness
        return fields
