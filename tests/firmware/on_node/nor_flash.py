"""A NOR flash in RAM with the interface of hal.flash.Flash; logs its operations and can replay half of one."""

ERASE, PROGRAM = "erase", "program"


class NorFlash:
    """Programming clears bits, erasing sets a block to 0xFF; `log` lists (operation, address, bytes) when kept."""

    BLOCK = 4096

    def __init__(self, blocks, image=None, log=None):
        self.size_bytes = blocks * self.BLOCK
        self.image = bytearray(image) if image else bytearray(b"\xff" * self.size_bytes)
        self.log = log
        self.erases = [0] * blocks
        self.programs = 0

    def read(self, address, buf):
        assert 0 <= address <= self.size_bytes - len(buf)
        buf[:] = self.image[address : address + len(buf)]

    def program(self, address, buf):
        if self.log is not None:
            self.log.append((PROGRAM, address, bytes(buf)))
        self.programs += 1
        self.apply(PROGRAM, address, bytes(buf))

    def erase(self, block):
        if self.log is not None:
            self.log.append((ERASE, block * self.BLOCK, b"\xff" * self.BLOCK))
        self.erases[block] += 1
        self.apply(ERASE, block * self.BLOCK, b"\xff" * self.BLOCK)

    def apply(self, operation, address, data):
        assert 0 <= address <= self.size_bytes - len(data)
        if operation == ERASE:
            self.image[address : address + len(data)] = data
            return
        for i in range(len(data)):
            self.image[address + i] &= data[i]

    def apply_torn(self, operation, address, data, how):
        """Apply a part: 'half' is the first half of the bytes, 'sieve' every other byte."""
        if how == "half":
            self.apply(operation, address, data[: len(data) // 2])
        elif operation == PROGRAM:
            self.apply(operation, address, bytes(byte if i % 2 else 0xFF for i, byte in enumerate(data)))
        else:
            for i in range(0, len(data), 2):
                self.image[address + i] = 0xFF
