"""The C library's memory: keep what arrays free for the next ones, instead of giving it back to the kernel each time.

Work on columns makes and frees many arrays of some hundred kilobytes. glibc learns from the first ones to keep such
memory, unless MALLOC_TRIM_THRESHOLD_ is set, as Dask's nanny sets it for its workers: then every array comes from the
kernel again, page by page, and half of the processor's time goes there.
"""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h, see mallopt(3)
_TRIM_BYTES = 128 << 20
_MMAP_BYTES = 32 << 20  # the largest that glibc takes


def keep_freed_memory() -> None:
    """Have this process keep up to 128 MiB of freed memory; nothing happens where the C library has no mallopt."""
    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, _TRIM_BYTES)
        mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)
