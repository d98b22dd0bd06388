"""Cases of the link's pure parts, for both interpreters: `micropython link_cases.py NAME`, silent when all is well."""

import sys
from binascii import hexlify, unhexlify

from firmware.link import packets, session
from firmware.link.delivery import DECLARE, NOT_ACCEPTED, NOT_HELD, SEND, WAIT, Delivery
from firmware.link.flight import Flight
from firmware.link.receiver import MALFORMED, PROTOCOL_ERROR, TOO_LARGE, PacketError, Receiver

LOG = 0xCAFE0001
BUF = bytearray(600)


class Random:
    """A small generator that is the same on both interpreters."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % limit


def hexed(found):
    return hexlify(BUF[found[0] : found[1]]).decode()


def error_of(call, *arguments):
    try:
        call(*arguments)
    except PacketError as error:
        return error
    raise AssertionError("expected PacketError")


# --- packets -------------------------------------------------------------------------------------------------------


def case_packets_are_encoded_as_the_standard_says():
    connect = packets.connect(BUF, b"n-1", 30, 3600, 8, 4352, b"t/w", b"\xa0", 10)
    assert hexed(connect) == (
        "1030" "00044d515454" "05" "ac" "001e" "0d" "1100000e10" "210008" "2700001100"
        "00036e2d31" "05180000000a" "0003742f77" "0001a0" "00036e2d31"
    )  # fmt: skip
    assert hexed(packets.subscribe(BUF, 258, b"a/#", 1)) == "82090102000003612f2301"
    assert hexed(packets.puback(BUF, 0xFFFE)) == "4002fffe"
    assert hexed(packets.disconnect(BUF, 0x04)) == "e00104"
    BUF[packets.PAYLOAD_AT : packets.PAYLOAD_AT + 2] = b"hi"
    assert (
        hexed(packets.publish(BUF, b"a/b", 2, 10, packets.AT_LEAST_ONCE | packets.RETAIN)) == "330a0003612f62000a006869"
    )
    assert hexed(packets.publish(BUF, b"a/b", 2)) == "30080003612f62006869"
    assert hexed(packets.publish(BUF, b"a/b", 2, 10, 2 | packets.DUP, 7)) == "3a0d0003612f62000a032300076869"
    assert hexed(packets.publish(BUF, b"", 2, 0, 0, 7, 600)) == "300d00000802000002582300076869"


def case_long_publish_has_a_two_byte_length():
    start, end = packets.publish(BUF, b"x" * packets.LONGEST_TOPIC, 300, 1, packets.AT_LEAST_ONCE, 9, 9)
    assert start >= 0
    assert end == packets.PAYLOAD_AT + 300
    length = packets.LONGEST_TOPIC + 2 + 2 + 1 + 3 + 5 + 300
    assert bytes(BUF[start : start + 3]) == bytes((0x32, length & 127 | 128, length >> 7))
    try:
        packets.publish(BUF, b"x" * (packets.LONGEST_TOPIC + 1), 1)
    except ValueError as error:
        assert "at most 58 bytes, got 59" in str(error), error
    else:
        raise AssertionError("expected ValueError")


ANSWERS = (
    # CONNACK of mosquitto with topic alias maximum and receive maximum; of a broker with everything
    ("read_connack", "0000" "06" "22000a" "210014", (False, 0, {0x22: 10, 0x21: 20})),
    ("read_connack", "0100" "00", (True, 0, {})),
    (
        "read_connack",
        "0087" "2b" "1100000001" "130005" "2401" "2500" "2700001000" "1200026162" "2800" "2900" "2a00"
        "1f000165" "2600016b000176" "1c000173",
        (False, 0x87, {0x11: 1, 0x13: 5, 0x24: 1, 0x25: 0, 0x27: 4096, 0x28: 0, 0x29: 0, 0x2A: 0}),
    ),
    ("read_puback", "0007", (7, 0)),
    ("read_puback", "000710", (7, 0x10)),
    ("read_puback", "00078707" "1f0004" "6e6f2121", (7, 0x87)),
    ("read_suback", "0003" "00" "01", (3, 1)),
    ("read_disconnect", "", 0),
    ("read_disconnect", "8e", 0x8E),
    ("read_disconnect", "8b" "04" "1f000162", 0x8B),
)  # fmt: skip


def case_answers_are_decoded_and_cut_ones_refused():
    for name, text, expected in ANSWERS:
        body = unhexlify(text)
        read = getattr(packets, name)
        assert read(memoryview(body)) == expected, (name, text, read(memoryview(body)))
        whole = {len(body), 0} if name == "read_disconnect" else {len(body)}
        if name == "read_puback":
            whole |= {2, 3}
        if name == "read_disconnect":
            whole |= {1}
        for size in range(len(body)):
            if size not in whole:
                assert error_of(read, memoryview(body)[:size]).reason == MALFORMED, (name, text, size)
        assert error_of(read, memoryview(body + bytes(3))).reason == MALFORMED, (name, text)


def case_publish_is_decoded():
    topic, packet_id, payload = packets.read_publish(2, memoryview(unhexlify("0003612f62010200a0")))
    assert (topic, packet_id, bytes(payload)) == ("a/b", 258, b"\xa0")
    topic, packet_id, payload = packets.read_publish(1, memoryview(unhexlify("000161050200000001")))
    assert (topic, packet_id, bytes(payload)) == ("a", 0, b"")


def case_bad_publishes_are_refused():
    for flags, text, reason in (
        (4, "000161" "0001" "00", PROTOCOL_ERROR),  # QoS 2
        (6, "000161" "0001" "00", MALFORMED),  # QoS 3
        (8, "000161" "00", MALFORMED),  # DUP at QoS 0
        (0, "0000" "00", MALFORMED),  # topic alias without topic
        (0, "00012b" "00", MALFORMED),  # wildcard
        (0, "000100" "00", MALFORMED),
        (0, "0002c328" "00", MALFORMED),  # not UTF-8
        (2, "000161" "0000" "00", PROTOCOL_ERROR),  # packet id 0
        (0, "000161" "02" "ff00", MALFORMED),  # unknown property
        (0, "000161" "02" "0000", MALFORMED),
        (0, "000161" "0300", MALFORMED),
        (0, "000161" "ffffffffff", MALFORMED),
        (0, "ffff61" "00", MALFORMED),
    ):  # fmt: skip
        error = error_of(packets.read_publish, flags, memoryview(unhexlify(text)))
        assert error.reason == reason, (flags, text, error)


def case_receiver_cuts_packets_whatever_the_pieces():
    stream = unhexlify("d000400200073106000161006869328101") + b"\x55" * 129
    for piece in (1, 2, 3, 5, 64, 200):
        receiver = Receiver(140)
        found = []
        for at in range(0, len(stream), piece):
            part = stream[at : at + piece]
            while part:
                space = receiver.space()
                count = min(len(space), len(part))
                space[:count] = part[:count]
                receiver.filled(count)
                part = part[count:]
                while receiver.take():
                    found.append((receiver.kind, receiver.flags, bytes(receiver.body)))
        assert found == [
            (13, 0, b""), (4, 0, b"\0\7"), (3, 1, b"\0\1a\0hi"), (3, 2, b"\x55" * 129)
        ], (piece, found)  # fmt: skip


def received(data, size=64):
    receiver = Receiver(size)
    count = min(len(data), size)
    receiver.space()[:count] = data[:count]
    receiver.filled(count)
    found = 0
    while receiver.take():
        found += 1
    return found


def case_receiver_refuses_lengths_that_do_not_fit():
    assert received(b"\x30\x3e" + bytes(62)) == 1
    assert error_of(received, b"\x30\x3f").reason == TOO_LARGE
    assert error_of(received, b"\x30\xff\xff\xff\x7f").reason == TOO_LARGE
    assert error_of(received, b"\x30\xff\xff\xff\xff").reason == MALFORMED
    assert error_of(received, b"\x30\x80\x00").reason == MALFORMED
    for cut in (b"", b"\x30", b"\x30\x81", b"\x30\x05ab"):
        assert received(cut) == 0, cut


def case_random_bytes_are_refused_or_read_but_never_crash():
    random = Random(5)
    readers = (packets.read_connack, packets.read_puback, packets.read_suback, packets.read_disconnect)
    refused = 0
    for _ in range(3000):
        data = bytes(random.below(256) for _ in range(random.below(24)))
        try:
            received(data)
            readers[random.below(4)](memoryview(data))
            packets.read_publish(random.below(16), memoryview(data))
        except PacketError:
            refused += 1
    assert refused > 2500, refused


# --- delivery ------------------------------------------------------------------------------------------------------


class Node:
    """A delivery with a clock, an outbox of numbers, and a broker that acknowledges on demand."""

    def __init__(self, head=0, tail=0, mark=0, window=4):
        self.now, self.head, self.tail = 0, head, tail
        self.delivery = Delivery(LOG, mark, window, 30000, lambda a, b: a - b)
        self.declared = []
        self.connect()

    def connect(self):
        self.delivery.connected()
        self.delivery.begin(self.tail, self.head, self.now)

    def go(self, acknowledge=True, reason=0):
        """Do what delivery says until it says WAIT twice; return the numbers that were sent."""
        sent, waits = [], 0
        while waits < 2:
            what = self.delivery.step(self.tail, self.head, self.now)
            waits = waits + 1 if what == WAIT else 0
            if what == SEND:
                seq = self.delivery.seq
                assert self.tail <= seq < self.head, seq
                sent.append(seq)
                self.delivery.sent(seq)
                if acknowledge:
                    self.delivery.acked(seq, reason(seq) if callable(reason) else reason)
            elif what == DECLARE:
                self.declared.append((self.delivery.first, self.delivery.last, self.delivery.reason))
                self.head += 1
            assert len(sent) < 10000
        return sent

    def later(self, seconds):
        self.now += seconds * 1000
        return self

    def watermark(self, next_seq, want=(), log=LOG):
        return self.delivery.watermark(log, next_seq, [list(gap) for gap in want], self.tail, self.head, self.now)


def case_delivery_sends_everything_in_order_within_the_window():
    node = Node(head=10)
    assert node.go(acknowledge=False) == [0, 1, 2, 3]
    node.delivery.acked(1, 0)
    assert node.go(acknowledge=False) == [4]
    for seq in (0, 2, 3, 4):
        node.delivery.acked(seq, 0)
    assert node.go() == [5, 6, 7, 8, 9]
    node.head = 11
    assert node.go() == [10]
    assert node.watermark(11)
    assert node.later(1000).go() == []
    assert node.delivery.resent == 0


def case_delivery_begins_at_watermark_or_tail():
    node = Node(head=10, tail=2, mark=1)
    node.delivery.connected()
    assert node.watermark(6)
    node.delivery.begin(node.tail, node.head, node.now)
    assert node.go() == [6, 7, 8, 9]
    node.delivery.connected()
    assert node.watermark(0)
    node.delivery.begin(node.tail, node.head, node.now)
    assert node.go() == [2, 3, 4, 5, 6, 7, 8, 9]


def case_new_connection_sends_everything_above_the_watermark_again():
    node = Node(head=8)
    node.go()
    node.watermark(5)
    node.connect()
    assert node.go() == [5, 6, 7]
    assert node.delivery.resent == 3


def case_want_is_sent_at_once_but_not_what_is_in_flight():
    node = Node(head=6, window=8)
    assert node.go(acknowledge=False) == [0, 1, 2, 3, 4, 5]
    for seq in (0, 1, 2, 5):
        node.delivery.acked(seq, 0)
    node.watermark(1, [(1, 3)])
    assert node.go(acknowledge=False) == [1, 2]


def case_want_repeated_before_our_answer_is_ignored():
    node = Node(head=20)
    node.go()
    node.watermark(3, [(3, 5), (9, 9)])
    assert node.go() == [3, 4, 5, 9]
    node.later(1).watermark(4, [(4, 5), (9, 9)])
    assert node.go() == []
    node.later(2).watermark(4, [(4, 5), (9, 9)])
    assert node.go() == [4, 5, 9]


def case_want_outside_of_what_was_sent_is_clipped():
    node = Node(head=10, tail=4)
    assert node.go() == [4, 5, 6, 7, 8, 9]
    node.watermark(2, [(0, 5), (9, 4000000000)])
    assert node.go() == [4, 5, 9]


def case_bad_watermarks_are_counted_and_change_nothing():
    node = Node(head=5)
    node.go()
    assert not node.watermark(6)
    assert not node.watermark(2, log=LOG + 1)
    assert node.delivery.bad_watermarks == 2
    assert node.delivery.mark == 0
    assert node.watermark(5)


def case_puback_whose_message_died_is_sent_again_after_the_stall():
    node = Node(head=5)
    node.go()
    node.watermark(2)
    assert node.go() == []
    assert node.later(29).go() == []
    assert node.later(2).go() == [2, 3, 4]
    node.watermark(5)
    assert node.later(1000).go() == []


def case_new_records_do_not_put_the_stall_off():
    node = Node(head=5)
    node.go()
    node.watermark(2)
    sent = node.go()
    for _ in range(32):
        node.head += 1
        sent += node.later(1).go()
    assert sent[:31] == [5 + i for i in range(30)] + [2], sent


def case_silent_manager_gets_one_window_and_ever_more_rarely():
    node = Node(head=50)
    assert len(node.go()) == 50
    times = []
    for second in range(1, 2000):
        node.now = second * 1000
        sent = node.go()
        if sent:
            assert sent == [0, 1, 2, 3], sent
            times.append(second)
    assert times[0] in (30, 31), times
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert gaps == sorted(gaps) and gaps[-1] >= 8 * 30 and len(times) < 9, times
    node.watermark(0)
    assert len(node.later(31).go()) == 50
    assert node.declared == []


def case_record_never_accepted_is_declared_lost_after_five_stalls():
    node = Node(head=4)
    node.go()
    for stall in range(5):
        node.watermark(1, [(1, 1)])
        node.go()
        assert node.later(31).go()[0] == 1, stall
    node.watermark(1, [(1, 1)])
    node.go()
    assert node.declared == []
    node.later(31).go()
    assert node.declared == [(1, 1, NOT_ACCEPTED)]
    node.watermark(1, [(1, 1)])
    assert 1 not in node.later(31).go()
    node.watermark(5)
    assert node.later(31).go() == []
    assert node.declared == [(1, 1, NOT_ACCEPTED)]


def case_silent_manager_never_costs_a_record():
    node = Node(head=4)
    for _ in range(100):
        node.later(1000).go()
    assert node.declared == []


def case_refused_record_does_not_hold_up_the_others():
    node = Node(head=9)

    def only_two(seq):
        return 0x99 if seq == 2 else 0

    assert node.go(reason=only_two) == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert (node.delivery.refused, node.delivery.last_refusal) == (1, 0x99)
    for _ in range(7):
        node.watermark(2, [(2, 2)])
        node.later(31).go(reason=only_two)
    assert node.declared == [(2, 2, NOT_ACCEPTED)]


def case_access_list_that_refuses_everything_costs_nothing():
    node = Node(head=50)
    assert node.go(reason=0x87) == [0, 1, 2, 3]
    for _ in range(20):
        node.watermark(0)
        sent = node.later(3000).go(reason=0x87)
        assert len(sent) <= 4, sent
    assert node.declared == []
    node.later(3000).go()
    assert len(node.later(3000).go()) >= 4


def case_records_no_longer_held_are_declared_after_their_loss_record_had_its_chance():
    node = Node(head=20, tail=8)
    node.watermark(3)
    assert node.go()[0] == 8
    node.watermark(3)
    assert node.later(31).go()[0] == 8
    node.watermark(3)
    node.later(31).go()
    assert node.declared == [(3, 7, NOT_HELD)]


def case_dropped_records_are_passed_over():
    node = Node(head=10)
    assert node.go(acknowledge=False) == [0, 1, 2, 3]
    node.tail, node.head = 7, 12
    for seq in range(4):
        node.delivery.acked(seq, 0)
    assert node.go() == [7, 8, 9, 10, 11]


def case_unreadable_record_is_declared_once():
    node = Node(head=10)
    assert node.delivery.give_up(2, 4)
    assert not node.delivery.give_up(3, 3)
    assert node.go() == [0, 1, 5, 6, 7, 8, 9]
    node.connect()
    assert node.go() == [0, 1, 5, 6, 7, 8, 9]
    node.watermark(10)
    assert node.delivery.give_up(2, 4)
    for i in range(20):
        assert node.delivery.give_up(20 + i, 20 + i)


def case_random_broker_and_manager_get_everything_in_the_end():
    """Records and watermarks die at random; at the end the manager must have every number."""
    for seed in range(30):
        random = Random(seed)
        node, committed, acks = Node(window=3), set(), []
        for _ in range(400):
            node.later(random.below(20))
            node.head += random.below(2)
            what = node.delivery.step(node.tail, node.head, node.now)
            if what == SEND:
                node.delivery.sent(node.delivery.seq)
                acks.append(node.delivery.seq)
                if random.below(4):
                    committed.add(node.delivery.seq)
            assert what != DECLARE, (seed, node.delivery.first)
            while acks and random.below(2):
                node.delivery.acked(acks.pop(0), 0)
            if not random.below(5):
                answer(node, committed)
            if not random.below(60):
                acks.clear()
                node.connect()
        for _ in range(40):
            answer(node, committed)
            committed.update(node.later(31).go())
            node.delivery.connected()
            node.connect()
        answer(node, committed)
        assert node.delivery.mark == node.head, (seed, node.delivery.mark, node.head)


def answer(node, committed):
    """The manager's watermark with its first holes."""
    next_seq = 0
    while next_seq in committed:
        next_seq += 1
    top = max(committed) if committed else -1
    want = [[seq, seq] for seq in range(next_seq, top) if seq not in committed][:8]
    node.watermark(next_seq, want)


# --- session -------------------------------------------------------------------------------------------------------


def case_session_climbs_the_ladder_and_falls_to_rest():
    ladder = session.Session(2, lambda: 0)
    steps = [
        ladder.on(event)
        for event in ("timeout", "done", "done", "done", "done", "timeout", "failed", "timeout", "failed", "timeout")
    ]
    assert steps == ["join", "clock", "open", "announce", "await", "send", "rest", "join", "rest", "join"], steps
    assert ladder.failures == 2
    assert ladder.broker == 1


def case_session_refuses_events_that_cannot_be_and_stays():
    ladder = session.Session(1, lambda: 0)
    for event in ("done", "failed", "nonsense"):
        try:
            ladder.on(event)
        except ValueError as error:
            assert "state rest, got " + event in str(error)
        else:
            raise AssertionError("expected ValueError")
    assert (ladder.state, ladder.failures) == ("rest", 0)
    try:
        session.Session(0, lambda: 0)
    except ValueError as error:
        assert "at least one broker" in str(error)
    else:
        raise AssertionError("expected ValueError")


def case_rest_doubles_with_jitter_and_has_an_end():
    for noise in (0, 0xFFFFFFFF, 12345678):
        ladder = session.Session(1, lambda noise=noise: noise)
        assert ladder.rest_ms() < 1000
        for failures in range(1, 40):
            ladder.failures = failures
            longest = min(1000 << min(failures - 1, 16), 60000)
            assert longest // 2 <= ladder.rest_ms() <= longest, failures


def case_every_state_can_be_left():
    states = {start for start, _ in session.TABLE}
    assert states == set(session.TABLE.values()), states


def case_backlog_lets_the_newest_through_and_keeps_its_rate():
    node = Node(head=500)
    assert node.go()[0] == 499
    node.head = 501
    sent = node.later(1).go()
    assert sent[0] == 500 and sent[1:] == list(range(len(sent) - 1)), sent
    total, seconds = len(sent) - 1, 1
    while total < 499:
        seconds += 1
        node.now += 1000
        total += len(node.go())
        assert seconds < 40, total
    assert total == 499 and node.delivery.resent == 0


def case_hole_between_the_lanes_is_no_loss():
    node = Node(head=500)
    node.go()
    node.later(1).go()
    sent_below = node.delivery._older
    for first in (0, sent_below - 5, sent_below):
        node.watermark(0, [(first, 498)])
        assert node.delivery.step(0, 500, node.now) != SEND or node.delivery.seq >= sent_below
    while node.delivery._older < 499:
        node.later(1).go()
    node.watermark(490, [(490, 498)])
    assert node.go() == []
    node.later(3).watermark(490, [(490, 492)])
    assert node.go() == [490, 491, 492]


def case_flight_is_sent_again_under_its_ids_when_the_session_is_there():
    flight = Flight(4)
    ids = [flight.take(token, 0) for token in (10, 11, 12)]
    assert flight.answered(ids[1]) == 11
    flight.keep(True)
    assert flight.stale() == [10, 12]
    assert not flight.is_late(99999, 10, lambda a, b: a - b)
    assert flight.renew(12, 5) == ids[2]
    assert flight.is_late(99999, 10, lambda a, b: a - b)
    flight.drop(10)
    assert (flight.count, flight.stale()) == (1, [])
    flight.keep(False)
    assert flight.count == 0
    for wrong in (lambda: flight.drop(7), lambda: flight.answered(0), lambda: flight.answered(9)):
        try:
            wrong()
        except ValueError:
            continue
        raise AssertionError("expected ValueError")


def case_session_takes_every_measure_once_and_begins_again_when_useful():
    ladder = session.Session(2, lambda: 0, 1000)
    taken = [ladder.measure(second) for second in range(0, 2000, 50)]
    assert [m for m in taken if m != session.RETRY] == [session.RADIO, session.RENEW, session.REBOOT]
    assert taken[5] == session.RADIO and taken[20] == session.REBOOT, taken
    ladder.useful(0)
    assert ladder.measure(249) == session.RETRY and ladder.measure(250) == session.RADIO


globals()["case_" + sys.argv[1]]()
