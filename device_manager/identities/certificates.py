"""X.509 certificates of the fleet: pure functions from a name, a key and a time to a signed certificate (RFC 5280).

All are EC P-256 with SHA-256. A certificate is valid from one day before it was made, because a node's clock may be
behind, and because the manager's clock may have been ahead when it signed.
"""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from device_manager.errors import UsageError

DAY_S = 86_400
BACKDATE_S = DAY_S


@dataclass(frozen=True)
class Identity:
    """A certificate with its private key; `chain` is what its holder shows beside it: those between it and the root."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    def certificate_pem(self) -> bytes:
        """The certificate and its chain, which a holder shows to who knows the root only."""
        return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (self.certificate, *self.chain))

    def certificate_der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def key_pem(self) -> bytes:
        """Private key as unencrypted PKCS#8 PEM."""
        return self._key(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)

    def key_der(self) -> bytes:
        """Private key as SEC1 DER (121 bytes), which MicroPython's mbedTLS reads on every port."""
        return self._key(serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL)

    def _key(self, encoding: serialization.Encoding, form: serialization.PrivateFormat) -> bytes:
        return self.key.private_bytes(encoding, form, serialization.NoEncryption())


def root(name: str, now_s: float, days: int, *, below: int = 0) -> Identity:
    """Return a new self-signed root; `below` is how many authorities may stand between it and an end certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = _builder(subject, subject, key, now_s - BACKDATE_S, now_s + days * DAY_S)
    return Identity(_authority(builder, below).sign(key, hashes.SHA256()), key)


def intermediate(
    root: Identity, name: str, now_s: float, days: int, key: ec.EllipticCurvePrivateKey | None = None
) -> Identity:
    """Return an authority that signs end certificates in place of `root`; `key` None makes a new one."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(name), root.certificate.subject, key, now_s - BACKDATE_S, now_s + days * DAY_S)
    certificate = _authority(builder, 0).sign(root.key, hashes.SHA256())
    return Identity(certificate, key)


def server(issuer: Identity, names: tuple[str, ...], not_before_s: float, not_after_s: float) -> Identity:
    """Return a server certificate whose CN is the first name; a name may be a DNS name or an IP address."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(names[0]), issuer.certificate.subject, key, not_before_s, not_after_s)
    builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False)
    return _leaf(builder, issuer, key, ExtendedKeyUsageOID.SERVER_AUTH)


def client(issuer: Identity, name: str, not_before_s: float, not_after_s: float, serial: int | None = None) -> Identity:
    """Return a client certificate whose CN is `name`: the MQTT user name and client id of its holder.

    `serial` None takes a random number.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(name), issuer.certificate.subject, key, not_before_s, not_after_s, serial)
    return _leaf(builder, issuer, key, ExtendedKeyUsageOID.CLIENT_AUTH)


def revocation_list(issuer: Identity, revoked: dict[int, float], number: int, now_s: float, days: int) -> bytes:
    """Return a CRL as PEM; `revoked` is {serial number: when, Unix s}, `number` grows from list to list."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(_utc(now_s - BACKDATE_S)).next_update(_utc(now_s + days * DAY_S))
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for serial, when_s in revoked.items():
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(_utc(when_s))
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _leaf(
    builder: x509.CertificateBuilder, issuer: Identity, key: ec.EllipticCurvePrivateKey, usage: x509.ObjectIdentifier
) -> Identity:
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(sign_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    is_root = issuer.certificate.issuer == issuer.certificate.subject
    return Identity(builder.sign(issuer.key, hashes.SHA256()), key, () if is_root else (issuer.certificate,))


def _authority(builder: x509.CertificateBuilder, below: int) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
    return builder.add_extension(_key_usage(sign_certificates=True), critical=True)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    not_before_s: float,
    not_after_s: float,
    serial: int | None = None,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(_utc(not_before_s))
        .not_valid_after(_utc(not_after_s))
    )


def _key_usage(sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _utc(time_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(time_s), datetime.UTC)


def fingerprint(path: Path) -> bytes:
    """Return the SHA-256 (32 bytes) of the DER form of a certificate in a PEM or DER file; UsageError for another."""
    try:
        data = path.read_bytes()
        load = x509.load_pem_x509_certificate if data.startswith(b"-----") else x509.load_der_x509_certificate
        return load(data).fingerprint(hashes.SHA256())
    except (OSError, ValueError) as error:
        raise UsageError(expected=f"a certificate in {path}", got=str(error), todo="name a PEM or DER file") from None
