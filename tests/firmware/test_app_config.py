"""node.json: what is wrong with it is one line that says expected, got and what to do."""

import json
from pathlib import Path

import pytest

GOOD = {
    "node": "kempten-01",
    "brokers": [{"host": "127.0.0.1", "port": 8883, "server_name": "citynode-broker"}],
    "tls": None,
    "wifi": {"ssid": "a", "password": "b"},
    "sensors": [{"name": "air", "driver": "sen55", "bus": 0}],
}
SCRIPT = "import json; from firmware import config; print(json.dumps(config.read()))"
AIR = GOOD["sensors"][0]


def read(micropython, folder: Path, text: str | None) -> str:
    if text is not None:
        (folder / "node.json").write_text(text)
    done = micropython(SCRIPT, cwd=folder)
    return done.stdout if done.returncode == 0 else done.stdout.strip().splitlines()[-1] + done.stderr


def test_good_configuration_gets_its_defaults(micropython, tmp_path):
    config = json.loads(read(micropython, tmp_path, json.dumps(GOOD)))
    assert (config["record_s"], config["frame_s"], config["frame_records"], config["resend_s"]) == (60, 300, 30, 30)
    assert config["buses"] == [] and config["watchdog_s"] == 120 and config["tls"] is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"node": "Kempten 01"}, "expected node as 3 to 32 characters a-z 0-9 -, got 'Kempten 01'"),
        ({"brokers": []}, "expected brokers with at least one row, got []"),
        ({"brokers": [{"host": "a"}]}, "expected a row of brokers with port as int, got None"),
        ({"record_s": 0}, "expected record_s from 1 to 3600, got 0"),
        ({"record_s": True}, "expected record_s as number, got True"),
        ({"record_s": "60"}, "expected record_s as number, got '60'"),
        ({"wifi": None}, "expected wifi as map, got None"),
        ({"sensors": [AIR, AIR]}, "expected sensors with different names, got 'air, air'"),
        ({"tls": {"anchors": "a.der"}}, "expected tls with anchors as list, got 'a.der'"),
    ],
)
def test_wrong_field_is_named_with_what_was_expected(micropython, tmp_path, change, said):
    assert said + ": correct it or provision the node again" in read(
        micropython, tmp_path, json.dumps({**GOOD, **change})
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "expected node.json in the node's directory, got none: provision the node"),
        ("{", "expected JSON in node.json, got something else"),
        ("[]", "expected a map, got []"),
    ],
)
def test_missing_or_broken_file_is_one_line(micropython, tmp_path, text, said):
    assert said in read(micropython, tmp_path, text)
