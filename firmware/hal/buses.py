"""Opens buses, counters and pins by the node's configuration; each hardware block is opened once.

A sensor's configuration names its bus by number (`"bus": 0`) or its pins (`"in_pin": 4`). A bus takes the port's own
default pins unless the node's configuration has a row for it: `"buses": [{"bus": 0, "scl": 22, "sda": 21}]`.
"""

from machine import Counter, Pin

COUNTER_FILTER_NS = 12000  # PCNT ignores shorter pulses; its filter ends at 12.8 us


class Buses:
    """`rows` is the node's list of buses, may be empty."""

    def __init__(self, rows: list) -> None:
        self._rows = {row["bus"]: row for row in rows}
        self._i2c: dict = {}
        self._counters = 0

    def i2c(self, bus: int) -> object:
        """The I2C bus of that number: writeto, readfrom_into; OSError when a device does not answer (see `hal.i2c`)."""
        if bus not in self._i2c:
            from firmware.hal.i2c import Bus  # only a node with such a sensor loads it

            self._i2c[bus] = Bus(bus, self._rows.get(bus, {}))
        return self._i2c[bus]

    def output(self, pin: int) -> Pin:
        """A pin to switch: value(0) or value(1)."""
        return Pin(pin, Pin.OUT, value=0)

    def counter(self, pin: int) -> object:
        """A hardware counter of rising edges at `pin`: value() counts since now. Takes the next free unit."""
        unit = self._counters
        self._counters += 1
        return Counter(unit, Pin(pin, Pin.IN, Pin.PULL_UP), filter_ns=COUNTER_FILTER_NS)

    def i2s(self, *arguments) -> object:
        """A receiver of sound, see `firmware.hal.i2s`, which only a node with a microphone loads."""
        from firmware.hal.i2s import open_receiver

        return open_receiver(*arguments)

    def uart(self, *arguments) -> object:
        """A serial port, see `firmware.hal.uart`, which only a node with such a sensor loads."""
        from firmware.hal.uart import open_uart

        return open_uart(*arguments)
