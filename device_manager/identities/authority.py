"""The fleet's own certificate authority, kept in one directory.

    ca.crt, ca.key             the root, PEM; 10 years; the key is encrypted when there is a passphrase, see `keys`
    broker.crt, broker.key     server certificate; `citynode-broker`, `localhost`, 127.0.0.1 and the configured names
    manager.crt, manager.key   client `citynode.manager`: may read and write every topic of the fleet
    twin.crt, twin.key         client `citynode.twin`: may read what nodes send, for consumers of telemetry
    issued.jsonl               one line for each certificate given out: serial, name, purpose, validity
    revoked.jsonl, ca.crl      see `revocation`

A node id has no dot, so no node can ever be called like the manager or the twin. Keys of nodes are not kept.
"""

import json
import os
from pathlib import Path

from cryptography import x509

from device_manager.errors import SetupError, UsageError
from device_manager.identities import certificates
from device_manager.identities.certificates import BACKDATE_S, DAY_S, Identity
from device_manager.identities.files import make_private_directory, write_private
from device_manager.identities.keys import FileKeys
from device_manager.identities.revocation import Revocations
from firmware.wire import topics

MANAGER = "citynode.manager"
TWIN = "citynode.twin"
ROOT_DAYS = 3650
HOST_DAYS = 397
NODE_DAYS = 397
PROBE_S = 3600
_LOCAL_NAMES = ("localhost", "127.0.0.1")


class Authority:
    """The CA of one fleet; `create` makes it once, `open` reads it afterwards."""

    def __init__(self, directory: Path, root: Identity) -> None:
        self._directory = directory
        self._root = root
        self._revocations = Revocations(directory, root)

    @classmethod
    def create(cls, directory: Path, broker_names: tuple[str, ...], now_s: float) -> "Authority":
        """Make root, broker, manager and twin identities in `directory`, which must not hold a CA yet."""
        if (directory / "ca.key").exists():
            todo = "use the existing one; a new CA would lock every node out"
            raise SetupError(expected=f"no CA in {directory}", got="ca.key", todo=todo)
        make_private_directory(directory)
        authority = cls(directory, certificates.root("citynode CA", now_s, ROOT_DAYS))
        authority._keep("ca", authority._root, "root")
        authority.renew(broker_names, now_s)
        return authority

    @classmethod
    def open(cls, directory: Path) -> "Authority":
        """Read the CA made by `create`; raises SetupError when it is missing, unreadable or damaged."""
        try:
            return cls(directory, _read_identity(directory, "ca"))
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
        """PEM file with the root certificate, for everyone who checks the broker or a client."""
        return self._directory / "ca.crt"

    def files(self, name: str) -> tuple[Path, Path]:
        """Return the PEM certificate and key files of "broker", "manager" or "twin"."""
        return self._directory / f"{name}.crt", self._directory / f"{name}.key"

    @property
    def revocation_file(self) -> Path:
        """PEM file with the list of revoked certificates, for the broker."""
        return self._revocations.file

    def anchor_der(self) -> bytes:
        """Return the root certificate as DER: one trust anchor file of a node."""
        return self._root.certificate_der()

    def renew(self, broker_names: tuple[str, ...], now_s: float) -> list[str]:
        """Give broker, manager and twin a new key and certificate where needed; return whose were renewed.

        Needed is one that is missing, has less than a third of its life left, or is the broker's and lacks a name. The
        list of revoked certificates is written anew in any case.
        """
        names = tuple(dict.fromkeys((*broker_names, *_LOCAL_NAMES)))
        start_s, end_s = now_s - BACKDATE_S, now_s + HOST_DAYS * DAY_S
        renewed = []
        if self._is_due("broker", now_s) or set(self._broker_names()) != set(names):
            self._keep("broker", certificates.server(self._root, names, start_s, end_s), "server")
            renewed.append("broker")
        for file, name in (("manager", MANAGER), ("twin", TWIN)):
            if self._is_due(file, now_s):
                self._keep(file, certificates.client(self._root, name, start_s, end_s), "client")
                renewed.append(file)
        self._revocations.write(now_s)
        return renewed

    def issue_node(self, node: str, now_s: float) -> Identity:
        """Return a new key and certificate for a node; its serial number is recorded, its key is not kept."""
        if not topics.is_node_id(node):
            todo = "use 3 to 32 characters of a-z, 0-9 and -"
            raise UsageError(expected="a node id", got=repr(node), todo=todo)
        identity = certificates.client(self._root, node, now_s - BACKDATE_S, now_s + NODE_DAYS * DAY_S)
        self._record(identity, "node")
        return identity

    def revoke(self, node: str, now_s: float) -> int:
        """Revoke all certificates of a node; return how many there were. UsageError when none is left to revoke."""
        revoked = self._revocations.serials()
        serials = [
            int(str(row["serial"]), 16) for row in self.issued() if (row["name"], row["purpose"]) == (node, "node")
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
        return certificates.client(self._root, name, now_s - BACKDATE_S, now_s + PROBE_S, serial)

    def issued(self) -> list[dict[str, object]]:
        """Return the record of all certificates given out, oldest first (keys as in issued.jsonl)."""
        lines = (self._directory / "issued.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def _is_due(self, file: str, now_s: float) -> bool:
        certificate_file, key_file = self.files(file)
        if not (certificate_file.exists() and key_file.exists()):
            return True
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        start_s, end_s = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
        return now_s > end_s - (end_s - start_s) / 3

    def _broker_names(self) -> list[str]:
        certificate = x509.load_pem_x509_certificate(self.files("broker")[0].read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
        return [*names.get_values_for_type(x509.DNSName), *addresses]

    def _keep(self, file: str, identity: Identity, purpose: str) -> None:
        certificate_file, key_file = self.files(file)
        if file == "ca":
            FileKeys(self._directory).save(file, identity.key)
        else:
            write_private(key_file, identity.key_pem())
        certificate_file.write_bytes(identity.certificate_pem())
        self._record(identity, purpose)

    def _record(self, identity: Identity, purpose: str) -> None:
        certificate = identity.certificate
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


def _read_identity(directory: Path, name: str) -> Identity:
    certificate = x509.load_pem_x509_certificate((directory / f"{name}.crt").read_bytes())
    return Identity(certificate, FileKeys(directory).load(name))
