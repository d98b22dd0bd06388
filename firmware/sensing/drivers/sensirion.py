"""I2C as Sensirion (and DNMS, which took it over) speak it: 16-bit commands, 16-bit words, a CRC behind every word.

A command is a big-endian word without CRC. Every word of an answer is followed by CRC-8, polynomial 0x31, initial value
0xFF, not reflected, no final XOR (vector: BE EF -> 92).
"""

import asyncio

from firmware.sensing.drivers import SensorError


def crc8(data: bytearray, start: int, stop: int) -> int:
    """CRC-8 of data[start:stop]."""
    crc = 0xFF
    for i in range(start, stop):
        crc ^= data[i]
        for _ in range(8):
            crc = (crc << 1 ^ 0x131) if crc & 0x80 else crc << 1
    return crc


class Words:
    """A device at `address` of `i2c`; the last answer, CRCs included, stays in `answer`, a buffer of `most` words."""

    def __init__(self, i2c, address: int, most: int) -> None:
        self._i2c = i2c
        self._address = address
        self._command = bytearray(2)
        self.answer = bytearray(3 * most)
        self._views: dict = {}

    def command(self, code: int) -> None:
        """Write one command word; OSError when the device does not answer."""
        self._command[0] = code >> 8
        self._command[1] = code & 0xFF
        self._i2c.writeto(self._address, self._command)

    def write(self, code: int, word: int) -> None:
        """Write one command with one word behind it; OSError when the device does not answer."""
        data = bytearray((code >> 8, code & 0xFF, word >> 8, word & 0xFF, 0))
        data[4] = crc8(data, 2, 4)
        self._i2c.writeto(self._address, data)

    async def query(self, code: int, count: int, wait_ms: int) -> None:
        """Write a command, wait, read `count` words and check them; SensorError for a wrong CRC."""
        self.command(code)
        await asyncio.sleep_ms(wait_ms)
        if count not in self._views:  # once a size: a slice of a memoryview is an allocation
            self._views[count] = memoryview(self.answer)[: 3 * count]
        self._i2c.readfrom_into(self._address, self._views[count])
        for at in range(0, 3 * count, 3):
            crc = crc8(self.answer, at, at + 2)
            if crc != self.answer[at + 2]:
                word = at // 3
                raise SensorError("word %d: expected CRC %02x, got %02x" % (word, crc, self.answer[at + 2]))

    def unsigned(self, word: int) -> int:
        """Word number `word` of the last answer, 0..65535."""
        return self.answer[3 * word] << 8 | self.answer[3 * word + 1]

    def signed(self, word: int) -> int:
        """Word number `word` of the last answer, -32768..32767."""
        value = self.unsigned(word)
        return value - 65536 if value & 0x8000 else value

    def copy_bytes(self, word: int, into: bytearray) -> None:
        """Copy words from number `word` on, without their CRCs, until `into` is full."""
        for i in range(len(into)):
            into[i] = self.answer[3 * (word + i // 2) + i % 2]
