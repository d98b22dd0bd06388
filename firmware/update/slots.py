"""The markers of the slots; boot.py obeys them and says what they are.

Everything is prepared beside what runs, and one rename decides. The trial's count of starts lies in NVS and in RTC
memory: boot.py counts, `forget_starts` is handed in by the app.

    slot.wait   as slot.try: a trial that is put off until the manager answers
"""

import os
from binascii import hexlify, unhexlify
from collections import namedtuple

NOW, TRY, BAD, WAIT = "slot.now", "slot.try", "slot.bad", "slot.wait"
NAMES = ("a", "b")
_VERSION = "1"

Slot = namedtuple("Slot", ("name", "number", "tree"))
Trial = namedtuple("Trial", ("name", "number", "tree", "attempt", "strike"))
Bad = namedtuple("Bad", ("number", "attempt", "reason"))


def confirmed() -> list:
    """Return the confirmed slot and the one before it, as far as there are any."""
    return [Slot(line[1], int(line[2]), unhexlify(line[3])) for line in _lines(NOW, 4)]


def trial(marker: str = TRY) -> Trial | None:
    """Return the trial that a marker (TRY or WAIT) names, None when there is none."""
    for line in _lines(marker, 6):
        return Trial(line[1], int(line[2]), unhexlify(line[3]), int(line[4]), int(line[5]))
    return None


def bad() -> Bad | None:
    """Return why the last trial ended, None when it did not end badly."""
    for line in _lines(BAD, 4):
        return Bad(int(line[1]), int(line[2]), line[3])
    return None


def spare(running: str) -> str:
    """Return the slot that may be written: neither the running one nor the confirmed one."""
    used = (running, confirmed()[0].name if confirmed() else "")
    return [name for name in NAMES if name not in used][0]


def begin(replace, what: Trial, marker: str = TRY) -> None:
    """Have the next start try a slot that is complete; `replace(path, data)` writes a file in one step."""
    words = (_VERSION, what.name, what.number, hexlify(what.tree).decode(), what.attempt, what.strike)
    replace(marker, _line(words))


def confirm(replace, what: Trial) -> None:
    """Make the trial the confirmed slot, in one step."""
    lines = _line((_VERSION, what.name, what.number, hexlify(what.tree).decode()))
    for old in confirmed()[:1]:
        if old.name != what.name:
            lines += _line((_VERSION, old.name, old.number, hexlify(old.tree).decode()))
    replace(NOW, lines)
    remove(TRY)
    remove(BAD)


def give_up(replace, what: Trial, reason: str, marker: str = TRY) -> None:
    """End the trial: the next start runs the confirmed slot."""
    replace(BAD, _line((_VERSION, what.number, what.attempt, reason.replace("\n", " ")[:200])))
    remove(marker)


def put_off(replace, what: Trial) -> None:
    """Try again later: the next start runs the confirmed slot."""
    begin(replace, Trial(what.name, what.number, what.tree, what.attempt, what.strike + 1), WAIT)
    remove(TRY)


def take_up(replace, what: Trial) -> None:
    """Try again now, what was put off."""
    begin(replace, what)
    remove(WAIT)


def remove(name: str) -> None:
    """Remove a file; it may be gone already."""
    try:
        os.remove(name)
    except OSError:
        pass


def _line(words: tuple) -> bytes:
    return (" ".join([str(word) for word in words]) + "\n").encode()


def _lines(name: str, words: int) -> list:
    try:
        with open(name) as file:
            text = file.read()
    except OSError:
        return []
    found = [line.split(" ", words - 1) for line in text.split("\n")]
    return [parts for parts in found if len(parts) == words and parts[0] == _VERSION]


def read(name: str) -> bytes:
    """Return what is in a file, b'' when it is not there."""
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError:
        return b""
