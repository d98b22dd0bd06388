"""Which certificates are revoked, and the list (CRL) that tells the broker.

    revoked.jsonl   one line for each revoked certificate: serial, name, when; only ever appended to
    ca.crl          the list of them, signed by each issuer, PEM; written anew at every change and every start
    probe           serial number of a certificate that nobody has: it stands on the present list and on no older one,
                    so that the broker can be asked whether it has read this very list

An expired list locks every node out at its next connect: the list lives long, is renewed early, and is watched.
"""

import json
import os
from pathlib import Path

from cryptography import x509

from device_manager.identities import certificates
from device_manager.identities.certificates import Identity
from device_manager.identities.files import write_private

CRL_DAYS = 90


class Revocations:
    """The record of one fleet's revoked certificates."""

    def __init__(self, directory: Path, issuers: list[Identity]) -> None:
        self._record = directory / "revoked.jsonl"
        self._issuers = issuers
        self.file = directory / "ca.crl"

    def serials(self) -> dict[int, float]:
        """Return {serial number: when, Unix s} of all revoked certificates."""
        if not self._record.exists():
            return {}
        rows = [json.loads(line) for line in self._record.read_text("utf-8").splitlines()]
        return {int(row["serial"], 16): float(row["when_s"]) for row in rows}

    def add(self, name: str, serials: list[int], now_s: float) -> None:
        """Revoke certificates of `name`, durably, and write the list."""
        with self._record.open("a", encoding="utf-8") as file:
            for serial in serials:
                file.write(json.dumps({"serial": f"{serial:x}", "name": name, "when_s": int(now_s)}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.write(now_s)

    def write(self, now_s: float) -> None:
        """Write the list of now, with a new probe."""
        probe = x509.random_serial_number()
        revoked = {**self.serials(), probe: now_s}
        number = int(now_s * 1000)
        lists = [certificates.revocation_list(issuer, revoked, number, now_s, CRL_DAYS) for issuer in self._issuers]
        write_private(self.file, b"".join(lists))
        write_private(self._probe, f"{probe:x}\n".encode())

    def probe_serial(self) -> int:
        """Return the serial number that stands on the present list and on no older one."""
        return int(self._probe.read_text("ascii"), 16)

    @property
    def _probe(self) -> Path:
        return self.file.with_suffix(".probe")
