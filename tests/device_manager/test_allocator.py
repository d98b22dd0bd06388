"""Memory that arrays free stays with the process, whatever the environment asks of the C library."""

import os
import subprocess
import sys

import pytest

_ARRAYS = """
import resource, sys
import numpy as np
from device_manager.adapters.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    np.ones(300_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(what: str) -> int:
    """Return how many pages 200 arrays of 2.4 MB, one after the other, took from the kernel."""
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}  # as Dask's nanny starts its workers
    command = [sys.executable, "-c", _ARRAYS, what]
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_freed_memory_is_used_again() -> None:
    assert _faults("keep") * 20 < _faults("leave")
