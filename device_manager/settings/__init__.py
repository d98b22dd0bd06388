"""The data directory: where everything of one fleet lies, and `settings.toml`, the few choices a person makes.

    settings.toml          this file's contents, version 1
    citynode.db            the store (frames, registry, everything a backup needs together with identities/)
    identities/            CA and the certificates the manager gave out; private keys are 0600
    broker/                what the broker process reads and writes, and nothing else (owned by the broker's user)
    releases/              what nodes can be updated to, see `device_manager.releases`
    orders/                signed orders to nodes, see `device_manager.orders`
    nodes/<node id>/       directories of virtual nodes, as their firmware sees them
    oidc.secret            the secret at the OpenID Connect provider, where there is one
    serve.lock             held by the one manager that may run on this directory

The directory comes from `--data DIR`, else `CITYNODE_DATA`, else the platform's place for data.
"""

from device_manager.settings.file import check, load, save
from device_manager.settings.values import (
    BROKERS,
    DEFAULT_DESIGN,
    FILE_NAME,
    FIRST_PORT,
    GRAINS,
    NO_WEB,
    OFF,
    TWIN,
    VERSION,
    WEB,
    BrokerSettings,
    Listening,
    OidcSettings,
    Public,
    Settings,
    Shard,
    Timing,
    WebSettings,
    default_directory,
)

__all__ = [
    "BROKERS",
    "BrokerSettings",
    "DEFAULT_DESIGN",
    "FILE_NAME",
    "FIRST_PORT",
    "GRAINS",
    "Listening",
    "NO_WEB",
    "OFF",
    "OidcSettings",
    "Public",
    "Settings",
    "Shard",
    "TWIN",
    "Timing",
    "VERSION",
    "WEB",
    "WebSettings",
    "check",
    "default_directory",
    "load",
    "save",
]
