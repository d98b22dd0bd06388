"""The data directory's settings: read back as written, and every mistake named by its key."""

from pathlib import Path

import pytest

from device_manager import settings
from device_manager.errors import SetupError
from device_manager.settings import BrokerSettings, Settings


def test_settings_saved_and_loaded_are_the_same(tmp_path: Path) -> None:
    broker = BrokerSettings("iotcore", "127.0.0.1", 1999, "broker.example")
    written = Settings(tmp_path, 'Kempten "Nord" \\ Süd', broker)
    settings.save(written)
    assert settings.load(tmp_path) == written


def test_directory_not_initialised_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as caught:
        settings.load(tmp_path / "nothing")
    expected = f"expected an initialised data directory, got no {tmp_path}/nothing/settings.toml; run `citynode init`"
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("version = 1", "version = 2", "version = 1"),
        ("version = 1", "version = true", "version = 1"),
        ("version = 1", "version = ", "TOML"),
        ("port = 8883", 'port = "8883"', "a whole number for broker.port"),
        ("port = 8883", "port = true", "a whole number for broker.port"),
        ("port = 8883", "port = 0", "1 to 65535 for broker.port"),
        ("port = 8883", "prot = 8883", "'broker.prot'"),
        ('kind = "mosquitto"', 'kind = "emqx"', "mosquitto or iotcore for broker.kind"),
        ('host = "127.0.0.1"', 'host = "a\\nallow_anonymous true"', "a host name or address for broker.host"),
        ('server_name = "citynode-broker"', 'server_name = ""', "a host name or address for broker.server_name"),
        ('name = "citynode"', "name = 5", "text for name"),
        ('name = "citynode"', "broker = 5\nname = 'x'", "TOML"),
    ],
)
def test_mistake_in_a_settings_file_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    settings.save(Settings(tmp_path))
    path = tmp_path / "settings.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(SetupError) as caught:
        settings.load(tmp_path)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_default_directory_follows_the_environment(tmp_path: Path) -> None:
    assert settings.default_directory({"CITYNODE_DATA": str(tmp_path)}) == tmp_path
    assert settings.default_directory({}).name == "citynode"


@pytest.mark.parametrize(("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3")])
def test_listening_address_gives_the_address_to_connect_to(host: str, reached: str) -> None:
    assert BrokerSettings(host=host).connect_host == reached
