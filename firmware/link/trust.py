"""The TLS context of a node: its certificate and key, and whom it trusts. All files are DER.

    "tls": {"anchors": ["anchor.der"], "certificate": "certificate.der", "key": "key.der"}

Each anchor takes its own load call: of two DER certificates in one piece the second is silently ignored. Verification
is switched on explicitly: `ssl.SSLContext(PROTOCOL_TLS_CLIENT)` of the unix port starts with CERT_NONE.

MicroPython has no revocation lists. Instead `"denied"`, optional, lists SHA-256 sums (hex) of DER certificates that
must not be in the chain that a broker shows, though an anchor has signed them.
"""

from binascii import hexlify
from hashlib import sha256

from firmware.wire import const

_REFUSED = const(-0x2700)  # MBEDTLS_ERR_X509_CERT_VERIFY_FAILED


def make_context(files: dict, on_denied) -> object:
    """Build the context from the `tls` part of the node's configuration; OSError or ValueError names the file.

    `on_denied(text)` hears why a broker was refused that every anchor would have taken.
    """
    import tls  # here: CPython, on which the pure parts of the link are tested too, has none

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    _require_certificate(context, tls.CERT_REQUIRED)
    if files.get("denied"):
        _deny(context, files["denied"], on_denied)
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


def _deny(context, denied: list, on_denied) -> None:
    """Have mbedTLS ask about every certificate that it was shown; whatever an anchor has signed may still be denied."""

    def judge(certificate: bytes, depth: int) -> int:
        found = hexlify(sha256(certificate).digest()).decode()
        if found not in denied:
            return 0
        on_denied("expected a broker's certificate that is not denied, got %s" % found[:16])
        return _REFUSED  # an exception must not leave this function: C called it

    context.verify_callback = judge


def _require_certificate(context, mode: int) -> None:
    context.verify_mode = mode


def _read(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError as error:
        raise OSError("expected the file %s, got error %s: provision the node again" % (name, error.errno))
