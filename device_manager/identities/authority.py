"""The fleet's own certificate authority, kept in one directory.

    ca.*, issuer.*             root and issuer, PEM, see `anchors`; keys may be encrypted, see `keys`
    broker.crt, broker.key     server certificate; `citynode-broker`, `localhost`, 127.0.0.1 and the configured names
    manager.crt, manager.key   client `citynode.manager`: may read and write every topic of the fleet
    twin.crt, twin.key         client `citynode.twin`: may read what nodes send, for consumers of telemetry
    mirror.crt, mirror.key     client `citynode.mirror`: writes the live mirror for them
    issued.jsonl               one line for each certificate given out: serial, name, purpose, validity
    accounts/                  certificate and key of each further reader ("twin") and ingest worker ("ingest")
    revoked.jsonl, ca.crl      see `revocation`

A node id has no dot, so no node can ever be called like the manager or the twin. Keys of nodes are not kept.
"""

import json
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from device_manager.errors import SetupError, UsageError
from device_manager.identities import anchors, certificates
from device_manager.identities.anchors import Anchors
from device_manager.identities.certificates import BACKDATE_S, DAY_S, Identity
from device_manager.identities.files import make_private_directory, write_private
from device_manager.identities.keys import KeyStore
from device_manager.identities.revocation import Revocations
from firmware.wire import topics

MANAGER = "citynode.manager"
TWIN = "citynode.twin"
INGEST = "citynode.ingest"
ACCOUNTS = {"twin": TWIN, "ingest": INGEST}  # role of an account -> how its names begin
MIRROR = "citynode.mirror"
MAX_WORKERS = 16  # on all hosts of one broker; each has its own certificate, because a name may connect once
HOST_DAYS = 397
NODE_DAYS = 397
PROBE_S = 3600
_LOCAL_NAMES = ("localhost", "127.0.0.1")


def worker_name(number: int) -> str:
    """Return as whom an ingest worker comes, 1 to MAX_WORKERS."""
    return f"citynode.ingest-{number}"


class Authority:
    """The CA of one fleet; `create` makes it once, `open` reads it afterwards."""

    def __init__(self, directory: Path, found: Anchors, keys: KeyStore | None = None) -> None:
        self._directory = directory
        self._keys = keys
        self.anchors = found
        self._issuer = found.issuer
        self._revocations = Revocations(directory, found.issuers)

    @classmethod
    def create(
        cls, directory: Path, broker_names: tuple[str, ...], now_s: float, keys: KeyStore | None = None
    ) -> "Authority":
        """Make root, issuer, broker, manager and twin identities in `directory`, which must not hold a CA yet.

        `keys` None: the keys of root and issuer are files there.
        """
        if (directory / "ca.crt").exists():
            todo = "use the existing one; a new CA would lock every node out"
            raise SetupError(expected=f"no CA in {directory}", got="ca.crt", todo=todo)
        make_private_directory(directory)
        anchors.make(directory, now_s, keys)
        authority = cls(directory, anchors.read(directory, keys), keys)
        authority.record_anchors()
        authority.renew(broker_names, now_s)
        return authority

    @classmethod
    def open(cls, directory: Path, keys: KeyStore | None = None) -> "Authority":
        """Read the CA made by `create`; raises SetupError when it is missing, unreadable or damaged."""
        try:
            return cls(directory, anchors.read(directory, keys), keys)
        except FileNotFoundError as error:
            todo = "run `citynode init`, or restore identities/ from a backup"
            raise SetupError(expected=f"the CA in {directory}", got=f"no {error.filename}", todo=todo) from None
        except OSError as error:
            todo = "run as the user who ran `citynode init`"
            raise SetupError(expected=f"to read the CA in {directory}", got=str(error.strerror), todo=todo) from error
        except (ValueError, TypeError) as error:
            todo = "restore identities/ from a backup"
            raise SetupError(expected=f"a PEM key and certificate in {directory}", got=str(error), todo=todo) from error

    @property
    def root_file(self) -> Path:
        """PEM file with the root certificate, for everyone who checks the broker."""
        return root_shown(self._directory)

    def files(self, name: str) -> tuple[Path, Path]:
        """Return the PEM certificate and key files of "broker", "manager" or "twin"."""
        return self._directory / f"{name}.crt", self._directory / f"{name}.key"

    @property
    def revocation_file(self) -> Path:
        """PEM file with the list of revoked certificates, for the broker."""
        return self._revocations.file

    def anchors_der(self) -> list[bytes]:
        """Return the roots that a node is to trust as DER: one trust anchor file each, the newest first."""
        return [root.public_bytes(Encoding.DER) for root in self.anchors.roots]

    def record_anchors(self) -> None:
        """Note the present root and issuer as given out."""
        self._record(self.anchors.root, "root")
        if self._issuer.certificate != self.anchors.root:
            self._record(self._issuer.certificate, "issuer")

    def renew(self, broker_names: tuple[str, ...], now_s: float) -> list[str]:
        """Give broker, manager, twin, mirror and accounts new keys where needed; return whose were renewed.

        Needed is one that is missing, has less than a third of its life left or another issuer, or is the broker's and
        lacks a name. The list of revoked certificates is written anew in any case. The issuer is renewed too as long
        as the root's key is here.
        """
        names = tuple(dict.fromkeys((*broker_names, *_LOCAL_NAMES)))
        start_s, end_s = now_s - BACKDATE_S, now_s + HOST_DAYS * DAY_S
        renewed = self._renew_issuer(now_s)
        shown = self.anchors.shown
        if self._is_due("broker", shown, now_s) or self._broker_lacks(names):
            self._keep("broker", certificates.server(shown, names, start_s, end_s), "server")
            renewed.append("broker")
        clients = [("manager", MANAGER, "client"), ("twin", TWIN, "client"), ("mirror", MIRROR, "client")]
        clients += [(f"accounts/{name}", name, role) for name, role in self.accounts().items()]
        for file, name, purpose in clients:
            if self._is_due(file, self._issuer, now_s):
                self._keep(file, certificates.client(self._issuer, name, start_s, end_s), purpose)
                renewed.append(name if purpose in ACCOUNTS else file)
        self._revocations.write(now_s)
        return renewed

    def worker(self, number: int, now_s: float) -> tuple[Path, Path]:
        """Return the PEM certificate and key files of an ingest worker, made anew where needed (see `renew`)."""
        name = f"ingest-{number}"
        if self._is_due(name, self._issuer, now_s):
            end_s = now_s + HOST_DAYS * DAY_S
            made = certificates.client(self._issuer, worker_name(number), now_s - BACKDATE_S, end_s)
            self._keep(name, made, "client")
        return self.files(name)

    def issue_node(self, node: str, now_s: float) -> Identity:
        """Return a new key and certificate for a node; its serial number is recorded, its key is not kept."""
        if not topics.is_node_id(node):
            todo = "use 3 to 32 characters of a-z, 0-9 and -"
            raise UsageError(expected="a node id", got=repr(node), todo=todo)
        identity = certificates.client(self._issuer, node, now_s - BACKDATE_S, now_s + NODE_DAYS * DAY_S)
        self._record(identity.certificate, "node")
        return identity

    def add_account(self, role: str, name: str, now_s: float) -> tuple[Path, Path]:
        """Give a reader ("twin") or an ingest worker ("ingest") an identity of its own; return certificate and key.

        `name` is behind the role's own: "scada" gives citynode.twin.scada.
        """
        full = f"{ACCOUNTS[role]}.{name}"
        if not topics.is_node_id(name) or full in self.accounts():
            todo = "choose another name, or revoke the account first"
            raise UsageError(expected="a new name of 3 to 32 of a-z, 0-9 and -", got=repr(name), todo=todo)
        make_private_directory(self._directory / "accounts")
        made = certificates.client(self._issuer, full, now_s - BACKDATE_S, now_s + HOST_DAYS * DAY_S)
        self._keep(f"accounts/{full}", made, role)
        return self.files(f"accounts/{full}")

    def accounts(self) -> dict[str, str]:
        """Return {name: role} of the accounts that are not revoked."""
        revoked = self._revocations.serials()
        rows = [row for row in self.issued() if row["purpose"] in ACCOUNTS]
        return {str(row["name"]): str(row["purpose"]) for row in rows if int(str(row["serial"]), 16) not in revoked}

    def revoke(self, node: str, now_s: float) -> int:
        """Revoke all certificates of a node or account; return how many. UsageError when none is left to revoke."""
        revoked = self._revocations.serials()
        serials = [
            int(str(row["serial"]), 16)
            for row in self.issued()
            if row["name"] == node and row["purpose"] in ("node", *ACCOUNTS)
        ]
        serials = [serial for serial in serials if serial not in revoked]
        if not serials:
            todo = "see `citynode node list`"
            raise UsageError(expected="a node with a certificate that is not revoked", got=repr(node), todo=todo)
        self._revocations.add(node, serials, now_s)
        return len(serials)

    def probe(self, name: str, now_s: float, *, revoked: bool = False) -> Identity:
        """Return an identity to try the broker with: valid for an hour, recorded nowhere, to be forgotten after use.

        A `revoked` one stands on the present list of revoked certificates and on no older one.
        """
        serial = self._revocations.probe_serial() if revoked else None
        return certificates.client(self._issuer, name, now_s - BACKDATE_S, now_s + PROBE_S, serial)

    def issued(self) -> list[dict[str, object]]:
        """Return the record of all certificates given out, oldest first (keys as in issued.jsonl)."""
        lines = (self._directory / "issued.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def _is_due(self, file: str, issuer: Identity, now_s: float) -> bool:
        certificate_file, key_file = self.files(file)
        if not (certificate_file.exists() and key_file.exists()):
            return True
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        return certificate.issuer != issuer.certificate.subject or anchors.is_due(certificate, now_s)

    def _renew_issuer(self, now_s: float) -> list[str]:
        below = self._issuer.certificate != self.anchors.root
        if not (below and anchors.is_due(self._issuer.certificate, now_s) and (self._directory / "ca.key").exists()):
            return []
        self._record(anchors.sign_issuer_again(self._directory, now_s, self._keys), "issuer")
        self.anchors = anchors.read(self._directory, self._keys)
        self._issuer = self.anchors.issuer
        return ["issuer"]

    def _broker_lacks(self, wanted: tuple[str, ...]) -> bool:
        certificate = x509.load_pem_x509_certificate(self.files("broker")[0].read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
        return {*names.get_values_for_type(x509.DNSName), *addresses} != set(wanted)

    def _keep(self, file: str, identity: Identity, purpose: str) -> None:
        certificate_file, key_file = self.files(file)
        write_private(key_file, identity.key_pem())
        certificate_file.write_bytes(identity.certificate_pem())
        self._record(identity.certificate, purpose)

    def _record(self, certificate: x509.Certificate, purpose: str) -> None:
        line = {
            "serial": f"{certificate.serial_number:x}",
            "name": certificate.subject.rfc4514_string().removeprefix("CN="),
            "purpose": purpose,
            "not_before": certificate.not_valid_before_utc.isoformat(),
            "not_after": certificate.not_valid_after_utc.isoformat(),
        }
        with (self._directory / "issued.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def root_shown(directory: Path) -> Path:
    """Return the PEM file with the root under which the broker's certificate stands now."""
    old = directory / "old-ca.crt"
    return old if old.exists() else directory / "ca.crt"
