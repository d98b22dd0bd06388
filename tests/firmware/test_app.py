"""The whole app on real MicroPython, as the launcher starts it; what it kept and sent is read with stock libraries."""

import itertools
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import cbor2
import paho.mqtt.client as mqtt
import pytest

from firmware.wire import frame, messages, quality, topics
from tests.conftest import find_micropython, micropython_path
from tests.waiting import wait_for

NODE = "test-01"
HEAP = "280k"
SENSORS = [
    {"name": "air", "driver": "sen55", "bus": 0},
    {"name": "noise", "driver": "dnms", "bus": 0},
    {"name": "gate", "driver": "pulse_counter", "in_pin": 4, "out_pin": 5},
]
READ_OUTBOX = """
from firmware.hal.flash import Flash
from firmware.outbox import KIND_NAMES, Outbox
outbox = Outbox(Flash("outbox"), lambda: 1)
buf = bytearray(4096)
for seq in range(outbox.tail, outbox.head):
    kind, length = outbox.read(seq, buf)
    print(KIND_NAMES[kind], bytes(buf[:length]).hex())
"""


class Node:
    """One node process in its directory."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.config = {
            "node": NODE, "brokers": [{"host": "127.0.0.1", "port": port, "server_name": "localhost"}], "tls": None,
            "wifi": {"ssid": "a", "password": "b"}, "sensors": SENSORS, "record_s": 1, "frame_s": 2,
        }  # fmt: skip
        self.virtual = {"seed": 3, "offset_s": 43200, "speed": 60, "flash_bytes": 65536}
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        (self.folder / "node.json").write_text(json.dumps(self.config))
        (self.folder / "virtual.json").write_text(json.dumps(self.virtual))
        self.process = subprocess.Popen(
            [find_micropython(), "-X", f"heapsize={HEAP}", "-m", "firmware.main"], cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"MICROPYPATH": micropython_path()},
        )  # fmt: skip

    def end(self) -> str:
        """Cut the power; return what it printed."""
        assert self.process is not None
        self.process.kill()
        return self.process.communicate()[0]

    def records(self, micropython) -> list[tuple[str, bytes]]:
        """(kind, payload) of everything in its outbox, read from a copy, as a power cut at this moment leaves it."""
        with tempfile.TemporaryDirectory() as copied:
            for path in self.folder.glob("*.flash"):
                shutil.copy(path, copied)
            done = micropython(READ_OUTBOX, cwd=copied)
        assert done.returncode == 0, done.stdout + done.stderr
        return [(kind, bytes.fromhex(text)) for kind, text in map(str.split, done.stdout.splitlines())]

    def frames(self, micropython) -> list[frame.Frame]:
        """The frames in its outbox."""
        return [frame.decode(payload) for kind, payload in self.records(micropython) if kind == "frame"]


@pytest.fixture
def node(tmp_path, free_port):
    made = Node(tmp_path, free_port)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()


@pytest.fixture
def broker(tmp_path, free_port):
    """A plain mosquitto on the loopback interface; yields its port."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.fail("expected mosquitto on PATH, got none: install it (apt-get install mosquitto)")
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {free_port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield free_port
    process.terminate()
    process.wait()


def listen(port: int, got: list) -> mqtt.Client:
    """A subscriber of everything the node sends; appends (kind, payload)."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_connect = lambda *_: client.subscribe(f"{topics.ROOT}/{NODE}/up/#", qos=1)
    client.on_message = lambda _, __, message: got.append((topics.parse(message.topic)[2], message.payload))
    for _ in range(50):
        try:
            client.connect("127.0.0.1", port)
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    client.loop_start()
    return client


def marked(payload: bytes) -> bool:
    """True when everything of the frame's newest record was measured in maintenance."""
    found = frame.decode(payload)
    newest = [flags for _, first, records, flags in found.runs if first + records == found.count]
    return len(newest) == len(found.values) // found.count and all(flags & quality.MAINTENANCE for flags in newest)


def test_app_without_broker_keeps_frames_that_stock_cbor_reads(micropython, node):
    node.start()
    wait_for(lambda: any(None not in got.values for got in node.frames(micropython)[2:]), every_s=0.5)
    printed = node.end()
    (kind, first), *rest = node.records(micropython)
    channels = cbor2.loads(first)
    names = [row[0] for row in channels[3][4]]
    assert kind == "channels" and channels[2] == 0, printed
    assert len(names) == 16 and {"pm2_5", "temperature", "laeq", "la90", "footfall_in"} <= set(names)
    frames = [frame.decode(payload) for kind, payload in rest if kind == "frame"]
    assert len(frames) >= 3, printed
    for i, got in enumerate(frames):
        assert (got.seq, got.epoch, got.count, got.interval_s) == (i + 1, 0, 2, 1)
        assert len(cbor2.loads(rest[i][1])) in (8, 9)
    complete = next(got for got in reversed(frames) if None not in got.values)  # a busy machine misses a read
    newest = dict(zip(names, complete.values[::2]))
    assert newest["pm1"] <= newest["pm2_5"] <= newest["pm10"] and 350 < newest["la99"] <= newest["la10"] < 1000
    assert newest["footfall_in"] > 0 and newest["footfall_out"] > 0
    assert [got.t0 + 2 for got in frames[:-1]] == [got.t0 for got in frames[1:]]


def epochs_with_frames(records: list[tuple[str, bytes]]) -> int:
    """How many channel lists are followed by a frame."""
    kinds = [kind for kind, _ in records]
    return sum(pair == ("channels", "frame") for pair in itertools.pairwise(kinds))


def test_app_after_a_power_cut_goes_on_in_the_same_log(micropython, node):
    for started in (1, 2):
        node.start()
        wait_for(lambda started=started: epochs_with_frames(node.records(micropython)) == started, every_s=0.5)
        node.end()
    records = node.records(micropython)
    heads = [cbor2.loads(payload)[:3] for _, payload in records]
    assert [head[2] for head in heads] == list(range(len(heads))) and len({head[1] for head in heads}) == 1
    epochs = [i for i, (kind, _) in enumerate(records) if kind == "channels"]
    assert len(epochs) == 2
    for seq, (kind, payload) in enumerate(records):
        if kind == "frame":
            assert frame.decode(payload).epoch == max(epoch for epoch in epochs if epoch < seq)


def test_app_sends_frames_state_and_health_and_answers_commands(broker, node):
    got: list = []
    client = listen(broker, got)
    node.config["brokers"][0]["port"] = broker
    node.start()
    wait_for(lambda: sum(kind == "frame" for kind, _ in got) >= 2)
    command = {"id": 5, "name": "format", "arguments": {}, "expires": int(time.time()) + 60}
    for id, name in ((5, "format"), (6, "identify"), (7, "health")):
        client.publish(topics.down(NODE, "command"), messages.encode("command", {**command, "id": id, "name": name}), 1)
    wait_for(lambda: sum(kind == "reply" for kind, _ in got) >= 3)
    replies = [messages.decode("reply", payload) for kind, payload in got if kind == "reply"]
    assert [(reply["command"], reply["ok"], reply["reason"]) for reply in replies] == [
        (5, False, "unknown command: format"), (6, False, "this node has no LED"), (7, True, ""),
    ]  # fmt: skip
    states = [messages.decode("state", payload) for kind, payload in got if kind == "state"]
    health = [messages.decode("health", payload) for kind, payload in got if kind == "health"]
    assert states[-1]["online"] is True and states[-1]["boot"] == health[-1]["boot"]
    assert health[-1]["reset_cause"] == "power on" and health[-1]["rssi"] == -61 and health[-1]["faults"] == []
    for id, name, arguments in ((9, "self-test", {}), (10, "log", {}), (11, "maintenance", {"minutes": 5})):
        fields = {**command, "id": id, "name": name, "arguments": arguments}
        client.publish(topics.down(NODE, "command"), messages.encode("command", fields), 1)
    wait_for(lambda: sum(kind == "reply" for kind, _ in got) >= 6)
    lines = {r["command"]: r.get("lines") for k, p in got if k == "reply" for r in [messages.decode("reply", p)]}
    assert [line.split(" works, 0 faults: ")[0] for line in lines[9]] == ["air", "noise", "gate"], lines[9]
    assert "pm2_5=" in lines[9][0] and lines[11] is None
    wait_for(lambda: marked([payload for kind, payload in got if kind == "frame"][-1]))
    client.publish(topics.down(NODE, "command"), messages.encode("command", {**command, "id": 8, "name": "reboot"}), 1)
    assert node.process.wait(90) == 75
    client.loop_stop()


def test_app_with_a_silent_sensor_reports_it_and_measures_the_rest(broker, node):
    got: list = []
    client = listen(broker, got)
    node.config["brokers"][0]["port"] = broker
    node.virtual["faults"] = {"sen55": "nack"}
    node.start()
    wait_for(lambda: sum(kind == "frame" for kind, _ in got) >= 2)
    wait_for(lambda: any(messages.decode("health", p)["faults"] for kind, p in got if kind == "health"))
    newest = frame.decode([payload for kind, payload in got if kind == "frame"][-1])
    assert newest.values[:16] == [None] * 16 and None not in newest.values[16:]
    assert [run[3] for run in newest.runs] == [8] * 8
    client.loop_stop()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"node": "X"}, "citynode: node.json: expected node as 3 to 32 characters a-z 0-9 -, got 'X'"),
        ({"sensors": [{"name": "a", "driver": "sen55"}]}, "citynode: node.json: expected bus of sensor a, got none"),
        ({"sensors": [{"name": "a", "driver": "sen99"}]}, "citynode: node.json: sensor a: expected a driver of sen55"),
    ],
)
def test_app_with_a_wrong_configuration_ends_with_one_line(node, change, said):
    node.config.update(change)
    node.start()
    printed, _ = node.process.communicate(timeout=120)
    assert node.process.returncode == 1 and printed.startswith(said) and len(printed.splitlines()) == 1, printed
