"""The virtual board: what is wired to which bus and pin, which trace it replays, and which faults it has now.

`virtual.json` in the node's directory, every key optional:

    {"seed": 7,                        site: gains, offsets and the footfall counter are drawn from it
     "speed": 1.0, "offset_s": 0,      trace time = (now - start) * speed + offset_s
     "i2c": {"0": {"105": "sen55", "85": "dnms"}},
     "pins": {"4": "footfall_in", "5": "footfall_out"}, "uart": {"1": "ld2450"},
     "faults": {"sen55": "nack"},      read again while running: nack, timeout, bad_crc, frozen, fan
     "wifi": "up", "clock": {"unix_s": 0, "sync_after_s": 20}}
"""

import json
import os
import time

from micropython import const

FILE = "virtual.json"
I2C = {"0": {"105": "sen55", "85": "dnms"}}
PINS = {"4": "footfall_in", "5": "footfall_out"}
_CHECK_MS = const(1000)


def read_file() -> dict:
    """The content of virtual.json, {} when there is none."""
    try:
        with open(FILE) as file:
            return json.load(file)
    except OSError:
        return {}


class Board:
    """One node's wiring; models ask it for trace time, faults and their site's random numbers."""

    def __init__(self, config: dict, ticks: object = time.ticks_ms) -> None:
        self._ticks = ticks
        self._last_ticks = ticks()
        self._elapsed_ms = 0
        self._speed = config.get("speed", 1.0)
        self._offset_s = config.get("offset_s", 0)
        self.seed = config.get("seed", 1)
        self._config = config
        self._seen_at = self._last_ticks
        self._stamp = _stamp()
        self._buses = {}

    def elapsed_ms(self) -> int:
        """Milliseconds since the board was switched on."""
        now = self._ticks()
        self._elapsed_ms += time.ticks_diff(now, self._last_ticks)
        self._last_ticks = now
        return self._elapsed_ms

    def trace_ms(self) -> int:
        """The moment of the traces that the sensors see now."""
        return int(self.elapsed_ms() * self._speed) + int(self._offset_s * 1000)

    def option(self, key: str, default: object) -> object:
        """A value of virtual.json as it is now: a change is seen within a second."""
        now = self._ticks()
        if time.ticks_diff(now, self._seen_at) >= _CHECK_MS:
            self._seen_at = now
            if _stamp() != self._stamp:
                self._stamp = _stamp()
                self._config = read_file()
        return self._config.get(key, default)

    def fault(self, part: str) -> str:
        """The fault of a part, or ''."""
        return self.option("faults", {}).get(part, "")

    def devices(self, bus: int) -> dict:
        """The models on an I2C bus by address; made once, so that two users of a bus see one device."""
        if bus not in self._buses:
            wired = self._config.get("i2c", I2C).get(str(bus), {})
            self._buses[bus] = {int(address): self._model(name) for address, name in wired.items()}
        return self._buses[bus]

    def counter(self, pin: int) -> object:
        """The source of pulses at a pin, or None."""
        part = self._config.get("pins", PINS).get(str(pin))
        return self._model("pulse_counter", part) if part else None

    def uart(self, port: int) -> object:
        """The model at a serial port, or None; made once, so that a port opened again is the same part."""
        name = self._config.get("uart", {}).get(str(port))
        key = "uart %d" % port
        if name and key not in self._buses:
            self._buses[key] = self._model(name)
        return self._buses.get(key)

    def _model(self, module: str, *arguments: str) -> object:
        return __import__("firmware.virtual.models." + module, None, None, ("make",)).make(self, *arguments)


def _stamp() -> tuple:
    try:
        status = os.stat(FILE)
        return status[6], status[8]
    except OSError:
        return ()
