"""Picks the slot whose code runs: before it runs anything it checks every file of that slot against its signed tree.

Runs first on a device (as /boot.py), and on a PC through `firmware.virtual.start`. It imports nothing of ours, because
it may not import what it judges, and is never sent over the air. A slot is a directory, `a` or `b`, with the package
`firmware` in it. Each of its directories has a file `.dir`, whose form is `firmware.wire.releases`' (version 1): it
lists files and directories with their SHA-256, and the sum of the topmost one stands in the marker. The markers are
files of one or two lines of words:

    slot.now    `1 <slot> <number> <sum>`: the confirmed slot; below it the one before it
    slot.try    `1 <slot> <number> <sum> <attempt> <strike>`: a slot on trial
    slot.bad    `1 <number> <attempt> <reason..>`: why the last trial ended, or which confirmed slot is damaged

A trial is started BOOTS_MAX times at most; starts are counted in NVS, which survives a power cut, and at the end of RTC
memory, which survives a reset even when NVS cannot be written; the higher count holds. Then, or when a file of it is
not as listed, the confirmed slot runs again; if that is damaged, the one before it; if both are, the code that the
node was provisioned with, which lies beside the slots. Markers are replaced by rename, so that a power cut leaves the
old one or the new one; what is left undone is done at the next start.
"""

import os
import sys
from binascii import hexlify
from hashlib import sha256

BOOTS_MAX = 3
VERSION = "1"
TAIL = b"CNB1"  # in front of the count, in the last 8 bytes of RTC memory
_MEMORY_BYTES = 2048


def pick() -> str:
    """Return the slot to run, '' for the code that the node was provisioned with; obey and tidy the markers."""
    now, trial = _lines("slot.now", 4), _lines("slot.try", 6)
    if trial and not _is_over(trial[0], now):
        reason = _try(trial[0])
        if not reason:
            return trial[0][1]
        _write("slot.bad", (VERSION, trial[0][2], trial[0][4], reason))
    if trial:
        _remove("slot.try")
    for line in now:
        path = damage(line[1], line[3])
        if not path:
            return line[1]
        _write("slot.bad", (VERSION, line[2], "0", "the confirmed slot is damaged: " + path))
    return ""


def damage(slot: str, sum_: str) -> str:
    """Return '' when every file of a slot is as its tree lists it, else the path of the first that is not."""
    waiting = [(slot + "/firmware", sum_)]
    while waiting:
        path, wanted = waiting.pop()
        text = _read(path + "/.dir")
        if hexlify(sha256(text).digest()).decode() != wanted:
            return path + "/.dir"
        for line in text.split(b"\n")[1:-1]:
            kind, _, wanted, name = line.decode().split(" ")
            if kind == "d":
                waiting.append((path + "/" + name, wanted))
            elif _file_sum(path + "/" + name) != wanted:
                return path + "/" + name
    return ""


def _is_over(trial: list, now: list) -> bool:
    """True when the trial was decided, and a power cut came before its marker was removed."""
    bad = _lines("slot.bad", 4)
    given_up = bool(bad) and bad[0][1:3] == [trial[2], trial[4]]
    return given_up or (bool(now) and now[0][1:4] == trial[1:4])


def _try(trial: list) -> str:
    """Count a start of the trial; return '' or why it may not run."""
    number = int(trial[2])
    if _count(number) >= BOOTS_MAX:
        return "started %d times and was not confirmed" % BOOTS_MAX
    path = damage(trial[1], trial[3])
    return path + " is not as listed" if path else ""


def _count(number: int) -> int:
    """Return how often the trial of a release was started before, and count one more."""
    import esp32
    import machine

    memory, nvs = machine.RTC().memory, esp32.NVS("citynode")
    kept = bytes(memory())
    tail = kept[-8:] if kept[-8:-4] == TAIL else b""
    counts = [int.from_bytes(tail[4:], "little")]
    try:
        counts.append(nvs.get_i32("trial"))
    except OSError:
        pass  # none yet
    before = max([count & 15 for count in counts if count >> 4 == number] or [0])
    after = number << 4 | min(before + 1, 15)
    try:
        nvs.set_i32("trial", after)
        nvs.commit()
    except OSError:
        pass  # a worn or full NVS must not stop a start: RTC memory counts too
    rest = kept[: len(kept) - len(tail)]
    if len(rest) + 8 <= _MEMORY_BYTES:
        memory(rest + TAIL + after.to_bytes(4, "little"))
    return before


def _lines(name: str, words: int) -> list:
    """Return the lines of a marker as lists of so many words; none for a missing, foreign or damaged one."""
    found = []
    for line in _read(name).split(b"\n"):
        try:
            parts = line.decode().split(" ", words - 1)
        except ValueError:
            continue
        if len(parts) == words and parts[0] == VERSION:
            found.append(parts)
    return found


def _write(name: str, words: tuple) -> None:
    with open(name + ".new", "w") as file:
        file.write(" ".join(words) + "\n")
    os.rename(name + ".new", name)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _remove(name: str) -> None:
    try:
        os.remove(name)
    except OSError:
        pass  # removed already


def _file_sum(path: str) -> str:
    sum_, buf = sha256(), bytearray(1024)
    try:
        with open(path, "rb") as file:
            count = file.readinto(buf)
            while count:
                sum_.update(memoryview(buf)[:count])
                count = file.readinto(buf)
    except OSError:
        return ""
    return hexlify(sum_.digest()).decode()


def run() -> str:
    """Have imports find the code of the picked slot first; return the slot."""
    try:
        slot = pick()
    except (OSError, ValueError) as error:  # a damaged marker or file system: what was provisioned may still run
        print("citynode: boot:", error)
        slot = ""
    if slot:
        sys.path.insert(0, slot)
    return slot


if __name__ == "__main__":
    run()
