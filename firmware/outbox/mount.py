"""Finding an outbox again at the start: where its log ends, what was released, which loss is still to be declared.

Loaded for that and forgotten: see `outbox`, whose parts it uses.
"""

from firmware.outbox import layout
from firmware.outbox.cursor import BLANK, RECORD


def mount(outbox) -> None:
    """Find `head`, `released`, and a drop that no loss record names."""
    _find_head(outbox)
    _find_released(outbox)
    _find_owed(outbox)


def _find_head(outbox) -> None:
    cursor = outbox.walker
    outbox.enter(cursor, outbox.sectors.newest)
    limit = cursor.seq + layout.SECTOR_BYTES
    outbox.offset = layout.NOTE_AT  # closed, unless the walk ends at blank flash without damage
    broken = outbox.sectors.is_damaged
    while True:
        found = cursor.load()
        if found == BLANK and not broken:
            outbox.offset = cursor.offset
            break
        if found == RECORD and cursor.holds():
            cursor.advance()
            continue
        broken = True
        if found == BLANK or not cursor.skip_damage(limit):
            break
        cursor.advance()
    outbox.head = cursor.seq


def _find_released(outbox) -> None:
    cursor = outbox.walker
    sector = outbox.sectors.unflagged
    # Without any mark nothing is known: the sectors before the oldest may have been dropped unreleased.
    outbox.released = outbox.sectors.first_seq(sector) if sector > outbox.sectors.oldest else 0
    outbox.enter(cursor, sector)
    end = outbox.end_seq(sector)
    while cursor.seq < end:
        if cursor.load() != RECORD and not cursor.skip_damage(end):
            break
        if cursor.state == 0:
            outbox.released = cursor.seq + 1
        cursor.advance()


def _find_owed(outbox) -> None:
    """A cut between a drop and its loss record leaves a note that no loss record answers."""
    newest = outbox.sectors.newest
    for sector in range(max(outbox.sectors.oldest, newest - 1), newest + 1):
        note = outbox.sectors.read_note(sector)
        if note and not _answered(outbox, note):
            outbox.owe(note[0], note[1])


def _answered(outbox, note: tuple) -> bool:
    cursor = outbox.walker
    newest = outbox.sectors.newest
    for sector in range(max(outbox.sectors.oldest, newest - 1), newest + 1):
        outbox.enter(cursor, sector)
        while cursor.seq < outbox.end_seq(sector) and cursor.load() == RECORD:
            if cursor.kind == layout.LOSS:
                loss = outbox.loaded_loss()
                if loss and loss[0] <= max(note[0], outbox.released) and loss[1] >= note[1]:
                    return True
            cursor.advance()
    return False
