"""The LED of a node: identifies it, or shows how it is. Loaded on nodes that have one."""

import asyncio

from firmware.hal import led
from firmware.wire import const

_BLINKS = const(20)
_BLINK_MS = const(500)


class Lamp:
    """`pin` has value(level); `code()` names what to show, see `firmware.hal.led`."""

    def __init__(self, pin, clock, code) -> None:
        self._pin = pin
        self._clock = clock
        self._code = code
        self._identify_ms = 0  # for so long it identifies the node

    def identify(self, _: dict) -> str:
        """The command: blink for ten seconds."""
        self._identify_ms = _BLINKS * _BLINK_MS
        return ""

    async def run(self) -> None:
        """Show for ever."""
        while True:
            if self._identify_ms > 0:
                self._identify_ms -= led.STEP_MS
                lit = self._identify_ms // _BLINK_MS % 2
            else:
                lit = led.is_lit(self._code(), self._clock.ticks_ms())
            self._pin.value(1 if lit else 0)
            await asyncio.sleep_ms(led.STEP_MS)
