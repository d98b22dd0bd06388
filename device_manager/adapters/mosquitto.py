"""The broker that faces nodes: mosquitto from 2.0 on, its configuration written by us, kept alive by a supervisor.

Certificates on both sides; the CN of a certificate is the MQTT user name and the client id, and access rules follow
from it. mosquitto checks its rules for every message, so a node can neither write nor read another node's topics.

The broker directory is the working directory of the process and all its paths are relative to it. So started by root,
mosquitto runs as its own user and needs no right to walk through the directories above (a data directory below /root).
"""

import os
import pwd
import shutil
import time
from pathlib import Path

from device_manager.adapters import processes
from device_manager.adapters.broker_check import Finding, check, handshake, take_over
from device_manager.adapters.broker_process import BrokerProcess
from device_manager.adapters.mosquitto_config import (
    access,
    acl_plugin,
    configuration,
    has_websockets,
    passwords,
    version,
)
from device_manager.adapters.store_accounts import SqlAccounts
from device_manager.adapters.store_operations import Operations, is_there
from device_manager.errors import BrokerError, SetupError
from device_manager.identities import Authority
from device_manager.identities.files import write_private
from device_manager.settings import Settings
from device_manager.twin.accounts import Account

USER = "mosquitto"
_READING_S = 0.5
_RELOADING = b"Reloading config."
_LOG_BYTES = 1 << 20  # looked at in one go
_PLACES = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto")


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
        self._read_to = self.log.stat().st_size if self.log.exists() else 0

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
        manager = self.settings.identities / "manager.crt", self.settings.identities / "manager.key"
        while (problem := handshake(self.settings, manager)) is not None:
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

    def self_test(self) -> list[Finding]:
        """Try who must be refused; return what was tried. BrokerError unless all is as it should be."""
        findings = check(self.settings, time.time())
        for wrong in (finding for finding in findings if not finding.ok):
            todo = f"do not use this broker, and report it with {self.log}"
            raise BrokerError(expected=f"the broker to refuse {wrong.what}", got="it was accepted", todo=todo)
        return findings

    def enforce(self, authority: Authority, node: str, timeout_s: float = 5.0) -> bool:
        """Have a running broker read the list of revoked certificates, and throw `node` out; False when none runs.

        BrokerError when the broker does not follow the list in time.
        """
        self._put(self.directory / "ca.crl", authority.revocation_file.read_bytes())
        if not processes.hang_up(self._pid_file, self.configuration_name):
            return False
        deadline_s, now_s = time.monotonic() + timeout_s, time.time()
        while not all(finding.ok for finding in check(self.settings, now_s)):
            if time.monotonic() > deadline_s:
                todo = "restart the manager, which restarts the broker"
                raise BrokerError(expected="the broker to read ca.crl", got="it kept the old one", todo=todo)
            time.sleep(0.1)
        take_over(self.settings, authority.probe(node, now_s))
        return True

    def refresh(self, timeout_s: float = 10.0) -> None:
        """Hand the present certificates, access rules and list of revoked ones to the running broker.

        BrokerError when it does not begin to read them in time. A signal that comes while mosquitto reads for an
        earlier one is lost, so it is told again until its log says that it reads.
        """
        self._program = self._program or find()
        if self._program is None:
            return
        self._write_files()
        written, deadline_s = self.log.stat().st_size, time.monotonic() + timeout_s
        while processes.hang_up(self._pid_file, self.configuration_name):
            if self._reads_since(written):
                return
            if time.monotonic() > deadline_s:
                todo = "restart the manager, which restarts the broker"
                raise BrokerError(expected="the broker to read its files anew", got="no word of it", todo=todo)

    def _reads_since(self, begin: int) -> bool:
        """True as soon as the log says, behind `begin`, that files are read anew; False after _READING_S."""
        until_s = time.monotonic() + _READING_S
        while time.monotonic() < until_s:
            with self.log.open("rb") as file:
                file.seek(begin)
                if _RELOADING in file.read(_LOG_BYTES):
                    return True
            time.sleep(0.01)
        return False

    def complaints(self) -> list[str]:
        """Return what the log says since the last call that somebody must know: messages dropped, files unwritten."""
        with self.log.open("rb") as file:
            file.seek(min(self._read_to, self.log.stat().st_size))
            new = file.read(_LOG_BYTES)
            self._read_to = file.tell()
        lines = new.decode("utf-8", "replace").splitlines()
        return [line.partition(": ")[2] for line in lines if "being dropped" in line or ": Error: " in line]

    def _write_files(self) -> None:
        authority = Authority.open(self.settings.identities)
        certificate, key = authority.files("broker")
        assert self._program is not None  # prepare() found it
        found = version(self._program)
        # Only root may name a user: what the launcher made of it, or root where mosquitto has no user of its own.
        user = (_user() or "root") if os.geteuid() == 0 else ""
        accounts = self._accounts()
        self._check_websockets(self._program)
        text = configuration(self.settings.broker, found, acl_plugin(self._program), user)
        files = {
            "ca.crt": authority.anchors.trusted_pem(),
            "ca.crl": authority.revocation_file.read_bytes(),
            "broker.crt": certificate.read_bytes(),
            "broker.key": key.read_bytes(),
            "access": access(authority.accounts(), accounts).encode(),
            "passwords": passwords(accounts).encode(),
            self.configuration_name: text.encode(),
        }
        for name, data in files.items():
            self._put(self.directory / name, data)
        self.log.touch(mode=0o600)
        _give_to_broker(self.directory)

    def _accounts(self) -> list[Account]:
        """Return the accounts of consumers; none before the manager's first start."""
        if not self.settings.broker.websocket_port or not is_there(self.settings.database):
            return []
        operations = Operations(self.settings.database)
        try:
            return SqlAccounts(operations).all()
        finally:
            operations.close()

    def _check_websockets(self, program: Path) -> None:
        if self.settings.broker.websocket_port and not has_websockets(program):
            todo = "install one that has them (Debian's has), or set broker.websocket_port = 0"
            raise SetupError(expected="a mosquitto with WebSockets", got=f"{program} without", todo=todo)

    def _put(self, path: Path, data: bytes) -> None:
        """Write a file that the broker alone may read."""
        write_private(path, data)
        user = _user()
        if user is not None:
            shutil.chown(path, user)


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
