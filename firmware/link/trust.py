"""The TLS context of a node: its certificate and key, and whom it trusts. All files are DER.

    "tls": {"anchors": ["anchor.der"], "certificate": "certificate.der", "key": "key.der"}

Each anchor takes its own load call: of two DER certificates in one piece the second is silently ignored. Verification
is switched on explicitly: `ssl.SSLContext(PROTOCOL_TLS_CLIENT)` of the unix port starts with CERT_NONE.

MicroPython has no revocation lists. Instead `"denied"`, optional, lists SHA-256 sums (hex) of DER certificates that a
broker must not show, though an anchor has signed them.
"""

from binascii import hexlify
from hashlib import sha256

from firmware.link.transport import LinkError


def make_context(files: dict) -> object:
    """Build the context from the `tls` part of the node's configuration; OSError or ValueError names the file."""
    import tls  # here: CPython, on which the pure parts of the link are tested too, has none

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    _require_certificate(context, tls.CERT_REQUIRED)
    context.load_cert_chain(_read(files["certificate"]), _read(files["key"]))
    anchors = files["anchors"]
    if not anchors:
        raise ValueError("expected at least one trust anchor in the configuration, got none: provision the node again")
    for name in anchors:
        anchor = _read(name)
        try:
            context.load_verify_locations(anchor)
        except ValueError:
            raise ValueError("expected one DER certificate in %s, got %d other bytes" % (name, len(anchor)))
    return context


def approve(certificate: bytes, denied: list) -> None:
    """Raise LinkError when the broker's certificate is one of `denied`."""
    found = hexlify(sha256(certificate).digest()).decode()
    if found in denied:
        raise LinkError("expected a broker's certificate that is not denied, got %s" % found[:16])


def _require_certificate(context, mode: int) -> None:
    context.verify_mode = mode


def _read(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError as error:
        raise OSError("expected the file %s, got error %s: provision the node again" % (name, error.errno))
