"""A node as the manager's tests need it: it writes records into a log with the real contract, and says messages."""

import random

from device_manager.ports import Incoming
from firmware.wire import frame, messages, records, topics

NOW_MS = 1_770_000_000_000  # 2026-02-02
START_S = 1_769_990_000
CHANNELS = (["pm2_5", "ug/m3", 10, "air"], ["temperature", "Cel", 10, "air"], ["footfall_in", "{count}", 1, "gate"])


class Speaker:
    """Writes records of `log` in order; every method returns the `Incoming` that carries them."""

    def __init__(self, name: str = "kempten-01", log: int = 7, seed: int = 1) -> None:
        self.name = name
        self.log = log
        self.seq = 0
        self.epoch = 0
        self._random = random.Random(seed)

    def channels(self, channels: object = CHANNELS, firmware: str = "1.0") -> Incoming:
        """The channels record that begins an epoch."""
        self.epoch = self.seq
        fields = {"firmware": firmware, "configuration": 1, "interval_s": 60, "channels": list(channels)}
        return self._record("channels", records.encode_channels(self.log, self._take(), fields))

    def frame(
        self, rows: list[list[int | None]] | None = None, start_s: int | None = START_S, flags: int = 0
    ) -> Incoming:
        """A frame of `rows` (random ones without); `flags` stand at the first value."""
        rows = rows or [[self._random.randrange(1000) for _ in CHANNELS] for _ in range(3)]
        batch = frame.Batch(len(rows[0]), 30)
        batch.start(start_s, 60, boot=5, uptime_s=100)
        for i, row in enumerate(rows):
            batch.add(row, [flags if i == 0 else 0] + [0] * (len(row) - 1))
        buffer = bytearray(frame.MAX_BYTES)
        size = batch.encode_into(buffer, self.log, self._take(), self.epoch)
        return self._record("frame", bytes(buffer[:size]))

    def loss(self, first: int, last: int) -> Incoming:
        """A loss record of first..last."""
        return self._record("loss", records.encode_loss(self.log, self._take(), first, last, "outbox full"))

    def state(self, *, online: bool = True, head: int | None = None, retained: bool = False) -> Incoming:
        """The state message."""
        fields = {"online": online, "boot": 5}
        if online:
            head = self.seq if head is None else head
            fields |= {"log": self.log, "head": head, "tail": 0, "time": START_S, "firmware": "1.0"}
        return self.message("state", messages.encode("state", fields), retained=retained)

    def health(self, uptime_s: int, time_s: int | None) -> Incoming:
        """A health message of the boot of its frames, from a node to which nothing happened."""
        rows = messages.rows(messages.FIELDS["health"])
        fields = {name: 0 for _, name, kind, required in rows if required and kind.startswith("uint")}
        fields |= {"boot": 5, "uptime_s": uptime_s, "time": time_s, "reset_cause": "power", "rssi": None}
        return self.message("health", messages.encode("health", fields | {"faults": [], "last_error": ""}))

    def message(self, kind: str, payload: bytes, *, retained: bool = False) -> Incoming:
        """Any payload as a message of `kind`."""
        return Incoming(topics.up(self.name, kind), payload, NOW_MS, retained, None)

    def _take(self) -> int:
        self.seq += 1
        return self.seq - 1

    def _record(self, kind: str, payload: bytes) -> Incoming:
        return self.message(kind, payload)
