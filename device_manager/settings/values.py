"""What the settings of a fleet are, and the files of its data directory; see `device_manager.settings`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from device_manager.database import Database, parse
from device_manager.errors import SetupError

VERSION = 1
FILE_NAME = "settings.toml"
FIRST_PORT = 8883
BROKERS = ("mosquitto", "iotcore")
DEFAULT_DESIGN = "plaza"  # of a virtual node: it measures everything


@dataclass(frozen=True)
class BrokerSettings:
    """How the broker is reached and which one it is; `port` 1-65535, `kind` one of BROKERS."""

    kind: str = "mosquitto"
    host: str = "127.0.0.1"
    port: int = FIRST_PORT
    server_name: str = "citynode-broker"
    websocket_port: int = 0

    @property
    def connect_host(self) -> str:
        """Address to connect to from this machine."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "") else "::1" if self.host == "::" else self.host

    @property
    def names(self) -> tuple[str, ...]:
        """Names and addresses that the broker's certificate must carry, the name that nodes check first."""
        everywhere = self.host in ("0.0.0.0", "::")
        return (self.server_name,) if everywhere else (self.server_name, self.host)

    @property
    def tls(self) -> bool:
        """True when both sides show certificates (mosquitto), False for the plain demo broker."""
        return self.kind == "mosquitto"


@dataclass(frozen=True)
class Shard:
    """A further broker with certificates of the same CA; nodes are moved to it by order."""

    name: str
    host: str
    port: int


@dataclass(frozen=True)
class Listening:
    """Where a service of the manager listens for HTTP; 127.0.0.1 is this machine only, port 0 is not at all."""

    host: str = "127.0.0.1"
    port: int = 8080


@dataclass(frozen=True)
class WebSettings(Listening):
    """The dashboard: `address` is its public URL behind a proxy, `tiles` the URL of map tiles with {z}, {x} and {y}."""

    address: str = ""
    tiles: str = ""
    tiles_credit: str = ""
    writable: bool = False


@dataclass(frozen=True)
class Public:
    """What everybody may see: aggregates of `grain_minutes` and more (0: all), counts from `smallest_count` on."""

    grain_minutes: int = 15
    smallest_count: int = 5
    requests_per_minute: int = 600


@dataclass(frozen=True)
class OidcSettings:
    """A provider that people may sign in with: `claim` is where their groups stand, the next three what each role is
    called there. Issuer "": none."""

    issuer: str = ""
    client: str = ""
    label: str = "OpenID Connect"
    name: str = "preferred_username"
    claim: str = "groups"
    viewer: str = ""
    technician: str = ""
    admin: str = ""


GRAINS = (0, 15, 60, 1440)
WEB = WebSettings(port=8080)
TWIN = Listening(port=8081)
OFF = Listening(port=0)
NO_WEB = WebSettings(port=0)


@dataclass(frozen=True)
class Timing:
    """How often a node measures and sends: a record each `record_s`, a frame at `frame_s` or `frame_records`."""

    record_s: int = 60
    frame_s: int = 300
    frame_records: int = 30
    resend_s: int = 30


@dataclass(frozen=True)
class Settings:
    """Settings of one data directory; paths are derived, so that they are spelled in one place."""

    directory: Path
    name: str = "citynode"
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    web: WebSettings = WEB
    twin: Listening = TWIN
    store_url: str = ""
    public: Public = field(default_factory=Public)
    shards: tuple[Shard, ...] = ()
    oidc: OidcSettings = field(default_factory=OidcSettings)

    def shard(self, name: str) -> Shard:
        """Return a further broker by its name; SetupError when there is none."""
        for shard in self.shards:
            if shard.name == name:
                return shard
        known = ", ".join(shard.name for shard in self.shards) or "none"
        raise SetupError(expected=f"a shard of {self.file} ({known})", got=repr(name), todo="add it to [shards]")

    @property
    def file(self) -> Path:
        return self.directory / FILE_NAME

    @property
    def database(self) -> Database:
        """The store: the file in this directory, or the server's database of `[store] url`."""
        return parse(self.store_url) if self.store_url else self.directory / "citynode.db"

    @property
    def oidc_secret(self) -> Path:
        """The client's secret at the provider; absent for a public client."""
        return self.directory / "oidc.secret"

    @property
    def identities(self) -> Path:
        return self.directory / "identities"

    @property
    def broker_directory(self) -> Path:
        return self.directory / "broker"

    @property
    def firmware_directory(self) -> Path:
        """Where the firmware of virtual nodes is compiled to."""
        return self.directory / "firmware"

    @property
    def lock(self) -> Path:
        return self.directory / "serve.lock"

    def lock_of(self, part: str) -> Path:
        """Held by the one process of that part of the manager; `lock` is the brain's, who alone writes."""
        return self.lock if part == "brain" else self.directory / f"{part}.lock"

    @property
    def releases(self) -> Path:
        """Releases by number, and their objects."""
        return self.directory / "releases"

    @property
    def orders(self) -> Path:
        """Signed orders to nodes; those that wait may hold secrets."""
        return self.directory / "orders"

    def node_directory(self, node: str) -> Path:
        return self.directory / "nodes" / node


def default_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the data directory used without `--data`: CITYNODE_DATA, else the platform's user data directory."""
    if environment.get("CITYNODE_DATA"):
        return Path(environment["CITYNODE_DATA"])
    import platformdirs  # here because it costs 10 ms that `--data` and `--help` need not pay

    return platformdirs.user_data_path("citynode", appauthor=False)
