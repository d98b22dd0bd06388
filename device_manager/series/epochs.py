"""Epochs: the channels record that a frame names says what its columns are and what made them."""

from collections.abc import Callable
from typing import NamedTuple

from device_manager.ports import StoredRecord
from firmware.wire import WireError, records


class Channel(NamedTuple):
    """A column: reading = integer / denominator, in `unit` (UCUM), of `quantity`, from `sensor` of the node."""

    quantity: str
    unit: str
    denominator: int
    sensor: str


class Epoch(NamedTuple):
    """What a node was from one channels record to the next."""

    channels: tuple[Channel, ...]
    firmware: str
    configuration: int
    interval_s: int
    calibration: str | None


class Epochs:
    """Looks epochs up by (log_id, seq of the channels record) and remembers those that it found."""

    def __init__(self, fetch: Callable[[int, int], StoredRecord | None], loads: Callable[[bytes], object]) -> None:
        """`fetch` is a reader's `record`, `loads` a codec's."""
        self._fetch = fetch
        self._loads = loads
        self._known: dict[tuple[int, int], Epoch] = {}

    def get(self, log_id: int, seq: int) -> Epoch | None:
        """Return the epoch, None while its channels record has not come or cannot be read."""
        found = self._known.get((log_id, seq)) or self._read(log_id, seq)
        if found:
            self._known[log_id, seq] = found
        return found

    def _read(self, log_id: int, seq: int) -> Epoch | None:
        stored = self._fetch(log_id, seq)
        if stored is None or stored.kind != "channels":
            return None
        try:
            fields = records.from_items("channels", self._loads(stored.payload))
        except WireError:  # only what was stored by an older citynode can fail here
            return None
        channels = tuple(Channel(*row) for row in fields["channels"])
        firmware, configuration, interval_s = fields["firmware"], fields["configuration"], fields["interval_s"]
        return Epoch(channels, firmware, configuration, interval_s, fields.get("calibration"))
