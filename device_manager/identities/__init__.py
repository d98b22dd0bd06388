"""Who is who: the fleet's certificate authority and the certificates it gives out.

A certificate is the identity. All keys are EC P-256 and made here, because MicroPython cannot make keys. Times are Unix
seconds and come in as arguments. `authority` keeps the CA and its record of what it issued; `certificates` builds them.
"""

from device_manager.identities.authority import Authority
from device_manager.identities.certificates import Identity

__all__ = ["Authority", "Identity"]
