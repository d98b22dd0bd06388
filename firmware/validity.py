"""From when on the node's own certificate is valid: no time before that can be true.

Needed once at the start: `app` forgets it afterwards.
"""


def valid_from(name: str) -> int:
    """Unix time from which the certificate in a file is valid; 0 when it cannot be read: opening the link says why."""
    try:
        with open(name, "rb") as file:
            return not_before(file.read())
    except OSError:
        return 0


def not_before(certificate: bytes) -> int:
    """Unix time from which a DER certificate is valid; 0 when the bytes are not a certificate [RFC 5280, 4.1]."""
    try:
        at = _enter(certificate, _enter(certificate, 0))  # Certificate, TBSCertificate
        if certificate[at] == 0xA0:  # version
            at = _end(certificate, at)
        for _ in range(3):  # serial number, algorithm, issuer
            at = _end(certificate, at)
        at = _enter(certificate, at)
        text = certificate[_enter(certificate, at) : _end(certificate, at)].decode()
        return _unix_s(text if certificate[at] == 0x18 else ("19" if text[0] >= "5" else "20") + text)
    except (IndexError, ValueError):
        return 0


def _enter(der: bytes, at: int) -> int:
    """Where the content of the element at `at` begins."""
    return at + 2 + (der[at + 1] & 127 if der[at + 1] > 127 else 0)


def _end(der: bytes, at: int) -> int:
    start = _enter(der, at)
    length = der[at + 1] if der[at + 1] < 128 else int.from_bytes(der[at + 2 : start], "big")
    return start + length


def _unix_s(text: str) -> int:
    """Unix time of YYYYMMDDhhmmssZ."""
    year, month, day, hour, minute, second = [int(text[:4])] + [int(text[i : i + 2]) for i in range(4, 14, 2)]
    years = year - 1 if month < 3 else year  # March first, so that the leap day is the last of its year
    days = years * 1461 // 4 - years // 100 + years // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 719469
    return ((days * 24 + hour) * 60 + minute) * 60 + second
