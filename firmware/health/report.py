"""Collects the fields of the health message; what it reports on comes in as objects and functions."""

TEXT_MAX = 120  # characters of the last error; the contract allows 255 bytes


class Health:
    """`heap_free` is a function that collects garbage and returns free bytes; `sensors` have name and faults; `outbox`
    has buffered and lost; `link` has resent, bad_watermarks and unknown; `rssi` is a function (dBm or None)."""

    def __init__(self, boot: int, reset_cause: str, clock: object, heap_free: object, rssi: object) -> None:
        self._boot = boot
        self._reset_cause = reset_cause
        self._clock = clock
        self._heap_free = heap_free
        self._rssi = rssi
        self._heap_floor = 1 << 30
        self._last_error = ""
        self.sensors = []
        self.outbox = None
        self.link = None

    def note(self, error: str) -> None:
        """Keep an error as the last one."""
        self._last_error = error[:TEXT_MAX]

    def fields(self) -> dict:
        """The fields for messages.encode('health', ...)."""
        heap_free = self._heap_free()
        self._heap_floor = min(self._heap_floor, heap_free)
        return {
            "boot": self._boot,
            "uptime_s": self._clock.uptime_s(),
            "time": self._clock.unix_s(),
            "reset_cause": self._reset_cause,
            "heap_free": heap_free,
            "heap_floor": self._heap_floor,
            "buffered": self.outbox.buffered,
            "lost": self.outbox.lost,
            "resent": self.link.resent,
            "bad_watermarks": self.link.bad_watermarks,
            "rssi": self._rssi(),
            "faults": [[sensor.name, sensor.faults] for sensor in self.sensors if sensor.faults],
            "last_error": self._last_error,
            "unknown": self.link.unknown,
        }
