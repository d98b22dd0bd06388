"""The texts that mosquitto reads: configuration in the dialect of its version, and access rules.

2.0 and 2.1 differ in three lines. 2.1 deprecates `acl_file` (a plugin with the same rules takes its place) and
`per_listener_settings` (which we never set), and brings `listener_allow_anonymous`.
"""

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from device_manager.errors import SetupError
from device_manager.identities.authority import MANAGER, MAX_WORKERS, MIRROR, TWIN, worker_name
from device_manager.settings import BrokerSettings
from device_manager.twin.accounts import Account

# The longest message that reaches the manager, which rejects and counts it; the contract's own limit is 4096 bytes. A
# client that announces more is cut off by the broker.
MAX_PACKET_BYTES = 2 * 1024 * 1024
MAX_CONNECTIONS = 4000
ACL_PLUGIN = "mosquitto_acl_file.so"
_LIBRARIES = ("lib", "lib64", "lib/mosquitto", "lib/*-linux-gnu*", "lib/*-linux-gnu*/mosquitto", "lib64/mosquitto")
_OLDEST = (2, 0)
_NEW = (2, 1)

_CONFIGURATION = """\
# Written by citynode at every start of the broker, for mosquitto {dialect}; changes made here are lost.
{access}
# The default of 1000 loses QoS 1 messages silently while the manager is away or slow. Bytes bound the memory; when
# they are reached mosquitto says so in its log, citynode repeats it, and outboxes send again what was dropped.
max_queued_messages 1000000
max_queued_bytes 268435456
max_inflight_messages 2000
persistent_client_expiration 14d
persistence true
persistence_location ./
# Seconds; the default of 1800 loses half an hour when the power fails.
autosave_interval 30
max_keepalive 600
max_packet_size {max_packet_bytes}
set_tcp_nodelay true

log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
log_timestamp_format %Y-%m-%dT%H:%M:%S
connection_messages true
{user}
listener {broker.port} {broker.host}
max_connections {max_connections}
cafile ca.crt
crlfile ca.crl
certfile broker.crt
keyfile broker.key
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
{listener}{websocket}"""

# For consumers with a token. The client id is the account's name here too: a free choice could be the manager's, and
# whoever connects with an id throws out who had it.
_WEBSOCKET = """
listener {broker.websocket_port} {broker.host}
protocol websockets
max_connections 1000
certfile broker.crt
keyfile broker.key
tls_version tlsv1.2
use_username_as_clientid true
{listener}"""
_NO_WEBSOCKETS = b"Websockets support not available"

_WORKERS = "\n".join(f"user {worker_name(n)}\ntopic read citynode/1/+/up/#\n" for n in range(1, MAX_WORKERS + 1))
_ACCESS = f"""\
# Written by citynode. %u is the CN of the client's certificate.
user {MANAGER}
topic readwrite citynode/#

user {TWIN}
topic read citynode/1/+/up/#
topic read v1.1/#
topic read twin/#

user {MIRROR}
topic write v1.1/#
topic write twin/#

{_WORKERS}
pattern write citynode/1/%u/up/#
pattern read citynode/1/%u/down/#
"""
_ACCOUNT = {
    "twin": "\nuser {name}\ntopic read citynode/1/+/up/#\n",
    "ingest": "\nuser {name}\ntopic read citynode/1/+/up/#\ntopic write citynode/1/+/down/watermark\n",
}


class Version(NamedTuple):
    """A version of mosquitto."""

    major: int
    minor: int
    patch: int


def version(program: Path) -> Version:
    """Ask a mosquitto program for its version; SetupError when it is none, or older than 2.0."""
    try:
        # -h ends with another code than 0.
        done = subprocess.run([program, "-h"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(expected="mosquitto 2.0 or newer", got=f"{program}: {error}", todo="install it") from error
    found = re.search(r"mosquitto version (\d+)\.(\d+)\.(\d+)", done.stdout + done.stderr)
    if found is None or tuple(map(int, found.groups()[:2])) < _OLDEST:
        got = found[0] if found else f"{program} that does not say its version"
        raise SetupError(expected="mosquitto 2.0 or newer", got=got, todo="install a newer one")
    return Version(*map(int, found.groups()))


def acl_plugin(program: Path) -> Path | None:
    """Return the plugin with access rules that came with a mosquitto 2.1, None where it is not found."""
    prefix = program.resolve().parent.parent
    candidates = (path for library in _LIBRARIES for path in prefix.glob(f"{library}/{ACL_PLUGIN}"))
    return next(candidates, None)


def configuration(broker: BrokerSettings, of: Version, plugin: Path | None, user: str = "") -> str:
    """Return the text of mosquitto.conf.

    `plugin` is for 2.1; without it the text has the deprecated `acl_file`, which 2.1 still reads. `user` is whom a
    broker started by root becomes, "" where nobody is root.
    """
    new = of[:2] >= _NEW
    rules = f"global_plugin {plugin}\nplugin_opt_acl_file access\n" if new and plugin else "acl_file access\n"
    anonymous = "listener_allow_anonymous false\n" if new else "allow_anonymous false\n"
    websocket = _WEBSOCKET.format(broker=broker, listener=anonymous) if broker.websocket_port else ""
    if websocket:
        rules += "password_file passwords\n"
    return _CONFIGURATION.format(
        dialect="2.1" if new else "2.0",
        access=rules,
        broker=broker,
        max_packet_bytes=MAX_PACKET_BYTES,
        max_connections=MAX_CONNECTIONS,
        user=f"user {user}\n" if user else "",
        listener=anonymous,
        websocket=websocket,
    )


def has_websockets(program: Path) -> bool:
    """True when a mosquitto was built with WebSockets; one without carries the words with which it refuses them."""
    return _NO_WEBSOCKETS not in program.read_bytes()


def access(identities: Mapping[str, str], consumers: Iterable[Account] = ()) -> str:
    """Return the access rules; `identities` is {name: role}, see `identities.authority`.

    A consumer with a token reads the mirror (one with sites: their plain JSON) and writes nothing; the denial is for
    the patterns, which are for nodes and would fit every name.
    """
    certified = "".join(_ACCOUNT[role].format(name=name) for name, role in sorted(identities.items()))
    return _ACCESS + certified + "".join(_rules(account) for account in consumers if account.revoked_s is None)


def _rules(account: Account) -> str:
    topics = [f"twin/1/{site}/#" for site in sorted(account.sites)] or ["v1.1/#", "twin/#"]
    lines = [f"user {mqtt_user(account)}", "topic deny citynode/#", *(f"topic read {topic}" for topic in topics)]
    return "\n" + "\n".join(lines) + "\n"


def mqtt_user(account: Account) -> str:
    """Return an account's MQTT user name; with a dot, which no node id has."""
    return f"twin.{account.name}"


def passwords(accounts: Iterable[Account]) -> str:
    """Return the broker's password file."""
    return "".join(f"{mqtt_user(a)}:{a.mqtt}\n" for a in accounts if a.revoked_s is None)
