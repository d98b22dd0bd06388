"""Cases of the outbox, run on MicroPython: `micropython outbox_cases.py NAME`, silent when all is well."""

import sys

from nor_flash import NorFlash

from firmware.outbox import CHANNELS, FRAME, LOSS, MAX_PAYLOAD, Outbox
from firmware.wire import records

LOG = 0xF1234567
BUF = bytearray(MAX_PAYLOAD)


def new_log():
    return LOG


def never():
    raise AssertionError("a log was formatted that should have been found")


def payload(seq, length):
    """A record's stand-in that tells its number and length."""
    return bytes((seq * 7 + i * 3 + length) & 0xFF for i in range(length))


def put(outbox, length, kept=None):
    """Append a record of `length` bytes, tell `kept` {seq: payload}, also of a loss record that followed."""
    seq = outbox.head
    data = payload(seq, length)
    assert outbox.append(FRAME, data, length) == seq
    if kept is not None:
        kept[seq] = data
    return seq


def get(outbox, seq):
    """(kind, payload) of a record, or None."""
    found = outbox.read(seq, BUF)
    return (found[0], bytes(memoryview(BUF)[: found[1]])) if found else None


def losses(outbox):
    """[(first, last)...] of every loss record in the ring."""
    found = []
    for seq in range(outbox.tail, outbox.head):
        got = get(outbox, seq)
        if got and got[0] == LOSS:
            fields = records.decode("loss", got[1])
            assert fields["log"] == outbox.log
            assert fields["seq"] == seq
            found.append((fields["first"], fields["last"]))
    return found


def check_all(outbox, kept):
    """Everything in tail..head-1 reads back; what is not in `kept` must be a loss record."""
    for seq in range(outbox.tail, outbox.head):
        got = get(outbox, seq)
        assert got, ("unreadable", seq, outbox.tail, outbox.head)
        if got[0] == FRAME:
            assert got[1] == kept[seq], ("other content", seq)
        else:
            assert got[0] == LOSS, (seq, got)
            assert seq not in kept, seq


def check_accounted(outbox, released):
    """Every number below the tail was released or is named by a loss record."""
    ranges = losses(outbox)
    for seq in range(released, outbox.tail):
        assert any(first <= seq <= last for first, last in ranges), (seq, outbox.tail, ranges)


def case_blank_flash_gets_a_log():
    outbox = Outbox(NorFlash(4), new_log)
    assert (outbox.log, outbox.head, outbox.tail, outbox.buffered, outbox.lost) == (LOG, 0, 0, 0, 0)
    assert outbox.read(0, bytearray(10)) is None


def case_foreign_flash_is_formatted_and_its_headers_die():
    flash = NorFlash(4, image=bytes(i * 11 & 0xFF for i in range(4 * 4096)))
    assert Outbox(flash, new_log).log == LOG
    assert Outbox(flash, never).log == LOG
    other_size = NorFlash(8, image=bytes(flash.image) + b"\xff" * 4 * 4096)
    assert Outbox(other_size, lambda: 5).log == 5


def case_too_small_partition_is_refused():
    try:
        Outbox(NorFlash(3), new_log)
    except ValueError as error:
        assert "4 blocks or more, got 3" in str(error)
    else:
        raise AssertionError("expected ValueError")


def case_records_come_back_after_reopening():
    flash, kept = NorFlash(6), {}
    outbox = Outbox(flash, new_log)
    for length in (1, 2, 3, 4, 300, 301, 3800, 3799, 57):
        put(outbox, length, kept)
    assert outbox.append(CHANNELS, bytearray(b"\x84abc"), 4) == 9
    again = Outbox(flash, never)
    assert (again.head, again.tail, again.buffered) == (10, 0, 10)
    for seq in (3, 9, 0, 6, 5, 8, 1, 7, 2, 4):
        got = get(again, seq)
        assert got == ((FRAME, kept[seq]) if seq < 9 else (CHANNELS, b"\x84abc")), seq
    assert get(again, 10) is None


def case_bad_lengths_are_refused_and_change_nothing():
    outbox = Outbox(NorFlash(4), new_log)
    for data, length in ((b"abc", 0), (b"abc", 4), (bytes(3801), 3801), (b"abc", -1)):
        try:
            outbox.append(FRAME, data, length)
        except ValueError as error:
            assert "1..3800" in str(error)
        else:
            raise AssertionError(f"expected ValueError for length {length}")
    put(outbox, 100)
    try:
        outbox.read(0, bytearray(99))
    except ValueError as error:
        assert "100 bytes or more, got 99" in str(error)
    assert outbox.head == 1


def case_release_is_remembered_and_records_stay_readable():
    flash, kept = NorFlash(8), {}
    outbox = Outbox(flash, new_log)
    for _ in range(40):
        put(outbox, 400, kept)
    for mark in (0, 1, 2, 9, 10, 25, 24, 40):
        outbox.release(mark)
        again = Outbox(flash, never)
        expected = 25 if mark == 24 else mark
        assert (again.released, again.buffered, again.head) == (expected, 40 - expected, 40), mark
        assert outbox.released == again.released
        check_all(again, kept)
    try:
        outbox.release(41)
    except ValueError as error:
        assert "at most 40, got 41" in str(error)
    else:
        raise AssertionError("expected ValueError")


def case_release_costs_few_programs_and_no_erase():
    flash = NorFlash(64)
    outbox = Outbox(flash, new_log)
    for _ in range(500):
        put(outbox, 300)
    erases, programs = sum(flash.erases), flash.programs
    outbox.release(1)
    outbox.release(500)
    assert sum(flash.erases) == erases
    assert flash.programs - programs <= 1 + erases, flash.programs - programs


def case_numbers_never_repeat_after_everything_was_released():
    flash = NorFlash(4)
    head = 0
    for _ in range(30):
        outbox = Outbox(flash, new_log)
        assert outbox.head == head, (outbox.head, head)
        for _ in range(7):
            put(outbox, 700)
        head = outbox.head
        outbox.release(head)
        assert outbox.lost == 0
        assert outbox.buffered == 0


def case_full_ring_drops_the_oldest_sector_and_says_so():
    flash, kept = NorFlash(4), {}
    outbox = Outbox(flash, new_log)
    for _ in range(200):
        put(outbox, 390, kept)
        check_accounted(outbox, 0)
    check_all(outbox, kept)
    assert outbox.head - outbox.tail >= 3 * 9
    ranges = losses(outbox)
    assert ranges[-1][1] == outbox.tail - 1, (ranges, outbox.tail)
    assert outbox.lost == outbox.tail
    again = Outbox(flash, never)
    assert (again.head, again.tail, again.lost) == (outbox.head, outbox.tail, outbox.lost)
    assert losses(again) == ranges
    longest = max(flash.erases) - min(flash.erases)
    assert longest <= 1, flash.erases


def case_full_ring_of_released_records_loses_nothing():
    flash = NorFlash(4)
    outbox = Outbox(flash, new_log)
    for _ in range(300):
        put(outbox, 390)
        outbox.release(outbox.head)
    assert outbox.lost == 0
    assert losses(outbox) == []


def case_longest_records_wrap_around():
    flash, kept = NorFlash(4), {}
    outbox = Outbox(flash, new_log)
    for _ in range(20):
        put(outbox, MAX_PAYLOAD, kept)
        check_all(Outbox(flash, never), kept)
        check_accounted(outbox, 0)


def case_declared_loss_is_a_record():
    outbox = Outbox(NorFlash(4), new_log)
    for _ in range(5):
        put(outbox, 50)
    assert outbox.append_loss(2, 2, "not accepted") == 5
    fields = records.decode("loss", get(outbox, 5)[1])
    assert fields == {"log": LOG, "seq": 5, "first": 2, "last": 2, "reason": "not accepted"}
    assert outbox.lost == 1
    assert outbox.head == 6


def case_damaged_record_costs_only_itself():
    for at, damaged in ((32 + 12 + 5, "payload"), (32, "header")):
        flash, kept = NorFlash(4), {}
        outbox = Outbox(flash, new_log)
        for _ in range(6):
            put(outbox, 200, kept)
        for offset in range(4):
            flash.image[2 * 212 + at + offset] ^= 0x5A
        for box in (outbox, Outbox(flash, never)):
            assert box.head == 6, damaged
            assert get(box, 2) is None, damaged
            assert box.last_unreadable(2) == 2, damaged
            for seq in (0, 1, 3, 4, 5):
                assert get(box, seq) == (FRAME, kept[seq]), (damaged, seq)
        assert put(Outbox(flash, never), 100) == 6


def case_lost_sector_header_leaves_the_others_readable():
    flash, kept = NorFlash(6), {}
    outbox = Outbox(flash, new_log)
    for _ in range(45):
        put(outbox, 380, kept)
    flash.program(4096, b"\x00\x00\x00\x00")
    again = Outbox(flash, never)
    assert again.head == 45
    assert again.tail == 0
    missing = [seq for seq in range(45) if get(again, seq) is None]
    assert missing == list(range(missing[0], missing[0] + 10)), missing
    assert again.last_unreadable(missing[0]) == missing[-1]
    assert again.last_unreadable(missing[3]) == missing[-1]


def rot_header(flash, sector, blocks):
    """Turn bits of a sector's header both ways, as no program operation could."""
    for offset in (0, 9, 17, 25):
        flash.image[sector % blocks * 4096 + offset] ^= 0x3C


def case_rotten_header_of_the_newest_sector_repeats_no_number():
    for records_in_newest in (1, 3, 9):
        flash, kept = NorFlash(6), {}
        outbox = Outbox(flash, new_log)
        while outbox.sectors.newest < 7 or outbox.head - outbox.sectors.first_seq(7) < records_in_newest:
            put(outbox, 390, kept)
        outbox.release(outbox.head - 2)
        head = outbox.head
        rot_header(flash, 7, 6)
        again = Outbox(flash, never)
        assert again.head == head, (again.head, head)
        check_all(again, kept)
        assert put(again, 390, kept) == head
        assert again.sectors.newest == 8
        for box in (again, Outbox(flash, never)):
            assert box.head == head + 1
            check_all(box, kept)
        check_accounted(again, head - 2)


def case_rotten_header_of_an_older_sector_costs_nothing():
    flash, kept = NorFlash(6), {}
    outbox = Outbox(flash, new_log)
    for _ in range(45):
        put(outbox, 380, kept)
    for sector in (0, 1, 2, 3):
        rot_header(flash, sector, 6)
    again = Outbox(flash, never)
    assert (again.head, again.tail) == (45, 0)
    check_all(again, kept)


def case_erase_ahead_leaves_no_erase_to_append():
    flash, kept = NorFlash(4), {}
    outbox = Outbox(flash, new_log)
    for _ in range(200):
        before = sum(flash.erases)
        put(outbox, 390, kept)
        assert sum(flash.erases) == before or outbox.head < 3
        outbox.idle()
        erased = sum(flash.erases)
        outbox.idle()
        assert sum(flash.erases) == erased
        check_accounted(outbox, 0)
    check_all(outbox, kept)
    assert outbox.head - outbox.tail >= 2 * 9
    assert max(flash.erases) - min(flash.erases) <= 1
    again = Outbox(flash, never)
    assert (again.head, again.tail) == (outbox.head, outbox.tail)


def case_sequential_reading_is_cheap():
    flash = NorFlash(16)
    outbox = Outbox(flash, new_log)
    while outbox.head < 2000 and not outbox.lost:
        put(outbox, 20)
    reads = [0]
    real = flash.read

    def counting(address, buf):
        reads[0] += 1
        real(address, buf)

    flash.read = counting
    buf = bytearray(64)
    for seq in range(outbox.tail, outbox.head):
        assert outbox.read(seq, buf)
    assert reads[0] <= 3 * (outbox.head - outbox.tail), reads


def scenario(flash, steps, idles=False):
    """Fill a small ring by appends, releases and drops; `steps` gets (operations so far, head, released, tail)."""
    outbox, kept = Outbox(flash, new_log), {}
    sizes = (30, 701, 44, 1203, 390, 5, 2600, 90)
    for i in range(44):
        put(outbox, sizes[i % len(sizes)], kept)
        steps.append((len(flash.log), outbox.head, outbox.released, outbox.tail))
        if idles:
            outbox.idle()
            steps.append((len(flash.log), outbox.head, outbox.released, outbox.tail))
        if i in (3, 9, 10, 22):
            outbox.release(outbox.head - 2)
            steps.append((len(flash.log), outbox.head, outbox.released, outbox.tail))
    return kept


def reopened_after_cut(base, operation, how):
    flash = NorFlash(4, image=base)
    if how != "none":
        flash.apply_torn(*operation, how)
    return flash, Outbox(flash, new_log)


def check_after_cut(flash, outbox, before, after, kept, what):
    """`before` and `after` are the steps (operations, head, released, tail) around the cut."""
    assert before[1] <= outbox.head <= after[1], what
    assert outbox.released <= after[2], what
    assert before[2] <= max(outbox.released, outbox.tail), what
    assert before[3] <= outbox.tail <= after[3], what
    check_all(outbox, kept)
    kept = {seq: data for seq, data in kept.items() if seq < outbox.head}
    for length in (60, 900, 3000):
        put(outbox, length, kept)
    again = Outbox(flash, never)
    assert again.head == outbox.head, what
    check_all(again, kept)
    check_accounted(again, after[2])


def case_cut_at_every_operation_loses_at_most_the_record_being_written():
    print(cut_everywhere(False), "cuts")


def case_cut_at_every_operation_with_erase_ahead():
    print(cut_everywhere(True), "cuts")


def cut_everywhere(idles):
    recorder, steps = NorFlash(4, log=[]), [(0, 0, 0, 0)]
    kept = scenario(recorder, steps, idles)
    assert recorder.erases[0] >= 3, recorder.erases
    base, step, cuts = NorFlash(4), 0, 0
    for i, operation in enumerate(recorder.log):
        while i >= steps[step + 1][0]:
            step += 1
        for how in ("none", "half", "sieve"):
            flash, outbox = reopened_after_cut(base.image, operation, how)
            check_after_cut(flash, outbox, steps[step], steps[step + 1], kept, (i, operation[:2], how))
            cuts += 1
        base.apply(*operation)
    return cuts


def case_second_cut_after_the_first_still_accounts_for_everything():
    recorder, steps = NorFlash(4, log=[]), [(0, 0, 0, 0)]
    scenario(recorder, steps)
    base, step = NorFlash(4), 0
    for i, operation in enumerate(recorder.log):
        while i >= steps[step + 1][0]:
            step += 1
        if operation[0] == "erase" or i % 9 == 0:
            flash, outbox = reopened_after_cut(base.image, operation, "half")
            flash.log = []
            image = bytes(flash.image)
            head, released = outbox.head, steps[step + 1][2]
            put(outbox, 1500)
            second = NorFlash(4, image=image)
            for later in flash.log:
                torn = NorFlash(4, image=second.image)
                torn.apply_torn(*later, "half")
                again = Outbox(torn, new_log)
                assert again.head >= head, (i, later[:2])
                put(again, 40)
                put(again, 3000)
                check_accounted(again, released)
                second.apply(*later)
        base.apply(*operation)


class Random:
    """A small generator that is the same on both interpreters."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % limit


def case_random_operations_agree_with_a_simple_model():
    flash, kept, random = NorFlash(5), {}, Random(20)
    outbox = Outbox(flash, new_log)
    released = dropped = 0
    for step in range(3000):
        what = random.below(10)
        if what < 6:
            tail = outbox.tail
            put(outbox, MAX_PAYLOAD if random.below(40) == 0 else 1 + random.below(500), kept)
            dropped += max(0, outbox.tail - max(tail, released))
            for seq in range(tail, outbox.tail):
                kept.pop(seq, None)
        elif what == 6:
            released = max(released, outbox.tail + random.below(outbox.head - outbox.tail + 1))
            outbox.release(released)
        elif what == 7:
            outbox = Outbox(flash, never)
        elif outbox.head > outbox.tail:
            seq = outbox.tail + random.below(outbox.head - outbox.tail)
            got = get(outbox, seq)
            assert got, (step, seq)
            assert got[0] == LOSS or got[1] == kept[seq], (step, seq)
        assert outbox.lost == dropped, (step, outbox.lost, dropped)
        assert max(outbox.released, outbox.tail) == max(released, outbox.tail), (step, outbox.released, released)
        assert outbox.buffered == outbox.head - max(released, outbox.tail), step
    check_all(outbox, kept)
    check_accounted(outbox, released)
    assert outbox.head > 1700, outbox.head
    assert dropped > 50, dropped


globals()["case_" + sys.argv[1]]()
