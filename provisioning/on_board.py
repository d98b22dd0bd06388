"""What is typed into a board's REPL: source text for MicroPython, in the smaller language.

Paths are relative: the current directory is `/` on a chip, and the virtual board's own directory on a PC. Answers are
one line of JSON.
"""

# Which interpreter this is: .mpy version (low byte) and native architecture (from bit 10), and the free bytes.
ABOUT = """
import sys, os, json
i = sys.implementation
s = os.statvfs(".")
print(json.dumps({"version": ".".join([str(n) for n in i.version[:3]]), "mpy": i._mpy, "free": s[0] * s[3]}))
"""

# Hex SHA-256 of each file of a list that is there.
HASHES = """
def hashes(names):
    import hashlib, json, binascii
    buf, found = bytearray(1024), {}
    for name in names:
        try:
            f = open(name, "rb")
        except OSError:
            continue
        h = hashlib.sha256()
        with f:
            n = f.readinto(buf)
            while n:
                h.update(memoryview(buf)[:n])
                n = f.readinto(buf)
        found[name] = binascii.hexlify(h.digest()).decode()
    print(json.dumps(found))
"""

# Receives files, each a zlib stream in base64: the line is slow, and text passes every REPL. Each is written beside
# its place and renamed.
RECEIVE = """
import os, io, deflate, binascii
class Pipe(io.IOBase):
    def __init__(self):
        self.data, self.at = b"", 0
    def readinto(self, buf):
        n = min(len(buf), len(self.data) - self.at)
        buf[:n] = memoryview(self.data)[self.at:self.at + n]
        self.at += n
        return n
def mkdirs(name):
    at = name.find("/")
    while at > 0:
        try:
            os.mkdir(name[:at])
        except OSError as e:
            if e.errno != 17:
                raise
        at = name.find("/", at + 1)
def put(name, length, text):
    mkdirs(name)
    p = Pipe()
    p.data = binascii.a2b_base64(text)
    d = deflate.DeflateIO(p, deflate.ZLIB, 12)
    with open(name + ".new", "wb") as f:
        while length:
            part = d.read(min(512, length))
            f.write(part)
            length -= len(part)
    os.rename(name + ".new", name)
    print("ok")
"""

# Runs the sensors of node.json for some seconds; prints for each its best reading, or what is wrong with it.
SELF_TEST = """
import asyncio, json
from firmware.hal.buses import Buses
from firmware.sensing.opening import open_driver
async def watch(row, buses, seconds):
    out = {"sensor": row["name"], "driver": row["driver"], "values": {}, "error": ""}
    try:
        driver = open_driver(row, buses)
        await driver.start()
        values, flags = [None] * len(driver.inputs), [0] * len(driver.inputs)
        for _ in range(seconds):
            await asyncio.sleep_ms(1000)
            for i in range(len(values)):
                values[i], flags[i] = None, 0
            await driver.read(values, flags, 0)
            for i in range(len(values)):
                before = out["values"].get(driver.inputs[i])
                if before is None or values[i] is not None and (before[0] is None or flags[i] <= before[1]):
                    out["values"][driver.inputs[i]] = [values[i], flags[i]]
    except Exception as e:
        out["error"] = "%s %s" % (type(e).__name__, e)
    return out
async def main(seconds):
    with open("node.json") as f:
        config = json.load(f)
    buses = Buses(config.get("buses", []))
    for row in config["sensors"]:
        print(json.dumps(await watch(row, buses, seconds)))
asyncio.run(main(SECONDS))
"""

# A hard reset answers nothing: the line goes quiet, or the port away.
RESET = "import machine; machine.reset()"
