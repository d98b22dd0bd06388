"""The configuration of mosquitto in both dialects. 2.0 is run by the tests of the broker; 2.1 is checked as text."""

import time
from pathlib import Path

import pytest

from device_manager.adapters.mosquitto import Mosquitto
from device_manager.adapters.mosquitto_config import ACL_PLUGIN, Version, access, acl_plugin, configuration, version
from device_manager.errors import SetupError
from device_manager.identities import Authority
from device_manager.identities.authority import MAX_WORKERS
from device_manager.settings import BrokerSettings, Settings

BROKER = BrokerSettings(host="192.0.2.1", port=8884)
OLD, NEW = Version(2, 0, 11), Version(2, 1, 2)
PLUGIN = Path("/usr/lib/mosquitto_acl_file.so")
DEPRECATED_IN_2_1 = {"acl_file", "password_file", "per_listener_settings", "allow_anonymous"}


def keys(text: str) -> dict[str, str]:
    lines = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {key: value for key, _, value in lines}


def program(directory: Path, words: str) -> Path:
    """A program that says `words` as mosquitto -h does, exit code 3."""
    path = directory / "bin" / "mosquitto"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{words}'\nexit 3\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("of", [OLD, NEW])
def test_both_dialects_let_in_only_certificates_of_the_fleet_and_lose_nothing_silently(of: Version) -> None:
    found = keys(configuration(BROKER, of, PLUGIN, "mosquitto"))
    assert (found["require_certificate"], found["use_identity_as_username"]) == ("true", "true")
    assert (found["use_username_as_clientid"], found["crlfile"], found["tls_version"]) == ("true", "ca.crl", "tlsv1.2")
    assert int(found["max_queued_messages"]) >= 100_000
    assert int(found["max_queued_bytes"]) >= 1 << 27
    assert int(found["autosave_interval"]) <= 60
    assert 0 < int(found["max_packet_size"]) <= 1 << 22
    assert int(found["max_connections"]) > 0
    assert 0 < int(found["max_keepalive"]) <= 600
    assert (found["listener"], found["user"], found["persistence"]) == ("8884 192.0.2.1", "mosquitto", "true")


def test_dialect_of_2_0_names_the_access_file_itself() -> None:
    found = keys(configuration(BROKER, OLD, None))
    assert (found["acl_file"], found["allow_anonymous"]) == ("access", "false")
    assert not {"global_plugin", "listener_allow_anonymous", "user"} & found.keys()


def test_dialect_of_2_1_uses_nothing_that_2_1_deprecates() -> None:
    found = keys(configuration(BROKER, NEW, PLUGIN))
    assert not DEPRECATED_IN_2_1 & found.keys()
    assert (found["global_plugin"], found["plugin_opt_acl_file"]) == (str(PLUGIN), "access")
    assert found["listener_allow_anonymous"] == "false"


def test_options_of_a_plugin_and_of_the_listener_follow_what_they_belong_to() -> None:
    lines = configuration(BROKER, NEW, PLUGIN).splitlines()
    assert lines.index(f"global_plugin {PLUGIN}") + 1 == lines.index("plugin_opt_acl_file access")
    assert lines.index("listener 8884 192.0.2.1") < lines.index("listener_allow_anonymous false")


def test_dialect_of_2_1_without_its_plugin_still_has_rules() -> None:
    assert keys(configuration(BROKER, NEW, None))["acl_file"] == "access"


def test_access_rules_are_never_empty() -> None:
    rules = [line for line in access({}).splitlines() if line.startswith(("topic", "pattern"))]
    assert len(rules) == 8 + MAX_WORKERS


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("mosquitto version 2.0.11", OLD),
        ("mosquitto version 2.1.2 (x)", NEW),
        ("mosquitto version 3.0.0", Version(3, 0, 0)),
    ],
)
def test_version_is_what_the_program_says(tmp_path: Path, words: str, expected: Version) -> None:
    assert version(program(tmp_path, words)) == expected


@pytest.mark.parametrize("words", ["mosquitto version 1.6.12", "something else"])
def test_old_or_foreign_program_is_refused(tmp_path: Path, words: str) -> None:
    with pytest.raises(SetupError, match=r"expected mosquitto 2\.0 or newer, got"):
        version(program(tmp_path, words))


@pytest.mark.parametrize("folder", ["lib", "lib/x86_64-linux-gnu", "lib64/mosquitto"])
def test_plugin_is_found_beside_the_program(tmp_path: Path, folder: str) -> None:
    found = program(tmp_path, "mosquitto version 2.1.2")
    assert acl_plugin(found) is None
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / ACL_PLUGIN).touch()
    assert acl_plugin(found) == tmp_path / folder / ACL_PLUGIN


def test_broker_of_version_2_1_gets_its_dialect(tmp_path: Path, free_port: int) -> None:
    settings = Settings(tmp_path / "data", broker=BrokerSettings(port=free_port))
    Authority.create(settings.identities, settings.broker.names, time.time())
    settings.broker_directory.mkdir()
    broker = Mosquitto(settings, program(tmp_path, "mosquitto version 2.1.0"))
    broker.prepare()
    text = (broker.directory / broker.configuration_name).read_text()
    assert "listener_allow_anonymous false" in text


def test_broker_log_is_told_once_what_was_dropped_or_could_not_be_written(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    settings.broker_directory.mkdir()
    broker = Mosquitto(settings)
    broker.log.write_text("2026-11-23T03:00:00: New connection from 127.0.0.1:1 on port 8883.\n")
    assert broker.complaints() == []
    with broker.log.open("a") as log:
        log.write("2026-11-23T03:00:01: Outgoing messages are being dropped for client citynode.manager.\n")
        log.write("2026-11-23T03:00:02: Error: No space left on device.\n")
    expected = ["Outgoing messages are being dropped for client citynode.manager.", "Error: No space left on device."]
    assert broker.complaints() == expected
    assert broker.complaints() == []
