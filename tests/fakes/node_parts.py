"""Parts of a node for tests that run on MicroPython: a settable clock, an I2C bus with fixed answers, a driver."""


class SetClock:
    """A clock that stands still until the test moves it."""

    def __init__(self, unix_s=None, uptime_s=0):
        self.unix = unix_s
        self.uptime = uptime_s

    def unix_s(self):
        return self.unix

    def uptime_s(self):
        return self.uptime

    def advance(self, seconds=1):
        self.uptime += seconds
        if self.unix is not None:
            self.unix += seconds


class TableI2C:
    """Answers each command with the bytes of a table {command: bytes}; a command without an entry gives no answer."""

    def __init__(self, table):
        self.table = table
        self.commands = []
        self._answer = b""

    def writeto(self, address, data):
        command = data[0] << 8 | data[1]
        self.commands.append((address, command))
        self._answer = self.table.get(command, b"")

    def readfrom_into(self, address, buf):
        if len(self._answer) != len(buf):
            raise OSError(19)
        buf[:] = self._answer


class ListDriver:
    """Gives the next row of `rows` at every read; a row that is an exception is raised."""

    def __init__(self, inputs, channels, rows):
        self.inputs = inputs
        self.channels = channels
        self.rows = rows
        self.starts = self.reads = 0

    async def start(self):
        self.starts += 1

    async def read(self, values, flags, at):
        row = self.rows[self.reads % len(self.rows)]
        self.reads += 1
        if isinstance(row, Exception):
            raise type(row)(*row.args)  # a new one: a traceback grows on an exception that is raised again
        for i in range(len(row)):
            values[at + i] = row[i]


def crc_words(data):
    """`data` with Sensirion's CRC behind every two bytes."""
    from firmware.sensing.drivers.sensirion import crc8

    return b"".join(data[i : i + 2] + bytes((crc8(data, i, i + 2),)) for i in range(0, len(data), 2))
