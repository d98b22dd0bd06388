"""The broker that faces nodes: mosquitto 2.0, its configuration written by us, its process kept by a supervisor.

Certificates on both sides; the CN of a certificate is the MQTT user name and the client id, and access rules follow
from it. mosquitto checks its rules for every message, so a node can neither write nor read another node's topics.

The broker directory is the working directory of the process and all its paths are relative to it. So started by root,
mosquitto runs as its own user and needs no right to walk through the directories above (a data directory below /root).
"""

import os
import pwd
import shutil
import socket
import ssl
import tempfile
import time
from pathlib import Path

from device_manager.adapters.broker_process import BrokerProcess
from device_manager.errors import BrokerError, SetupError
from device_manager.identities import Authority, certificates
from device_manager.identities.authority import MANAGER, TWIN
from device_manager.identities.certificates import DAY_S
from device_manager.identities.files import write_private
from device_manager.settings import Settings

USER = "mosquitto"
# The longest message that reaches the manager, which rejects and counts it; the contract's own limit is 4096 bytes. A
# client that announces more is cut off by the broker.
MAX_PACKET_BYTES = 2 * 1024 * 1024
_PLACES = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto")

_CONFIGURATION = """\
# Written by citynode at every start of the broker; changes made here are lost.
listener {port} {host}
cafile ca.crt
certfile broker.crt
keyfile broker.key
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file access
max_connections -1
max_keepalive 600
max_packet_size {max_packet_bytes}

# The default of 1000 loses QoS 1 messages silently while the manager is away or slow.
max_queued_messages 100000
max_queued_bytes 268435456
max_inflight_messages 2000
persistent_client_expiration 14d
persistence true
persistence_location ./
# Seconds; the default of 1800 loses half an hour when the power fails.
autosave_interval 30
set_tcp_nodelay true

log_dest stderr
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%S
connection_messages true
{user}"""

_ACCESS = """\
# Written by citynode. %u is the CN of the client's certificate.
user {manager}
topic readwrite citynode/#

user {twin}
topic read citynode/1/+/up/#

pattern write citynode/1/%u/up/#
pattern read citynode/1/%u/down/#
"""


def find() -> Path | None:
    """Return the mosquitto program of this machine (PATH, then the places that are often not on it), or None."""
    found = shutil.which("mosquitto")
    candidates = [Path(found)] if found else [Path(place) for place in _PLACES]
    return next((path for path in candidates if path.exists()), None)


class Mosquitto(BrokerProcess):
    """One mosquitto process for one data directory; a Supervisor calls prepare, start, wait_ready, alive, stop."""

    name = "mosquitto"

    def __init__(self, settings: Settings, program: Path | None = None) -> None:
        super().__init__(settings)
        self._program = program

    def prepare(self) -> str | None:
        """Find mosquitto, end one left behind, check the port, write configuration and identity.

        Returns a line about what was left behind, or None; SetupError when mosquitto is missing or the port taken.
        """
        self._program = self._program or find()
        if self._program is None:
            todo = "install it (apt install mosquitto), or use `citynode init --broker iotcore` for a demo"
            raise SetupError(expected="mosquitto 2.0 or newer", got="no mosquitto on this machine", todo=todo)
        note = self.take_over()
        self._write_files()
        return note

    def start(self) -> None:
        """Start the process; `prepare` came before."""
        self.launch([str(self._program), "-c", f"./{self.configuration_name}"], _user() or "")

    def wait_ready(self, timeout_s: float = 10.0) -> None:
        """Wait until the broker accepts the manager's certificate; raises BrokerError when it ends or stays silent."""
        deadline_s = time.monotonic() + timeout_s
        while (problem := self.handshake(self.settings.identities / "manager")) is not None:
            if not self.alive():
                raise BrokerError(expected="mosquitto to start", got=self.last_words(), todo=f"read {self.log}")
            if time.monotonic() > deadline_s:
                expected = f"mosquitto to answer within {timeout_s:.0f} s"
                raise BrokerError(expected=expected, got=problem, todo=f"read {self.log}")
            time.sleep(0.05)

    def last_words(self) -> str:
        """Return why it ended: the signal, or the first error that it logged in its last run."""
        words = super().last_words()
        lines = self.log.read_text("utf-8", "replace").rpartition(" starting\n")[2].splitlines()
        errors = [line.partition(" Error: ")[2] for line in lines if " Error: " in line]
        return errors[0] if errors and not words.startswith("ended by") else words

    def self_test(self) -> None:
        """Connect with a certificate that the fleet's CA did not sign; raises BrokerError unless it is refused."""
        now_s = time.time()
        other = certificates.root("foreign CA", now_s, 1)
        with tempfile.TemporaryDirectory() as directory:
            stranger = Path(directory) / "stranger"
            identity = certificates.client(other, MANAGER, now_s - DAY_S, now_s + DAY_S)
            write_private(stranger.with_suffix(".key"), identity.key_pem())
            stranger.with_suffix(".crt").write_bytes(identity.certificate_pem())
            accepted = self.handshake(stranger) is None
        if accepted:
            todo = f"do not use this broker, and report it with {self.log}"
            raise BrokerError(expected="the broker to refuse a foreign certificate", got="it was accepted", todo=todo)

    def _write_files(self) -> None:
        authority = Authority.open(self.settings.identities)
        certificate, key = authority.files("broker")
        files = {
            "ca.crt": authority.root_file.read_bytes(),
            "broker.crt": certificate.read_bytes(),
            "broker.key": key.read_bytes(),
            "access": _ACCESS.format(manager=MANAGER, twin=TWIN).encode(),
            self.configuration_name: configuration(self.settings).encode(),
        }
        for name, data in files.items():
            write_private(self.directory / name, data)
        self.log.touch(mode=0o600)
        _give_to_broker(self.directory)

    def handshake(self, identity: Path) -> str | None:
        """Try one TLS connection as `identity` (path without ending); return None when accepted, else why not."""
        broker = self.settings.broker
        context = ssl.create_default_context(cafile=str(self.settings.identities / "ca.crt"))
        # Under TLS 1.3 the client's side of the handshake ends before the server has judged its certificate.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(f"{identity}.crt", f"{identity}.key")
        try:
            with socket.create_connection((broker.connect_host, broker.port), timeout=2.0) as plain:
                context.wrap_socket(plain, server_hostname=broker.server_name).close()
        except OSError as error:
            return str(error)
        return None


def configuration(settings: Settings) -> str:
    """Return the text of mosquitto.conf for the 2.0 dialect (2.1 still reads it)."""
    broker = settings.broker
    # Only root may name a user: what the launcher made of it, or root where mosquitto has no user of its own.
    user = f"user {_user() or 'root'}\n" if os.geteuid() == 0 else ""
    return _CONFIGURATION.format(port=broker.port, host=broker.host, max_packet_bytes=MAX_PACKET_BYTES, user=user)


def _user() -> str | None:
    """Return the user that mosquitto shall run as when we are root, None to leave it as we are."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(USER).pw_name
    except KeyError:
        return None


def _give_to_broker(directory: Path) -> None:
    """Make the directory and its files readable for the broker's user and nobody else."""
    user = _user()
    for path in (directory, *directory.iterdir()):
        if user is not None:
            shutil.chown(path, user)
        path.chmod(0o700 if path.is_dir() else 0o600)
