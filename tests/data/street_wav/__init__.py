"""Two street recordings of three seconds; SOURCE.txt says whose."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NAMES = ("ct101", "ct102")
RATE_HZ = 48000


def samples(name: str) -> NDArray[np.float64]:
    """The recording, full scale = 1."""
    packed = gzip.decompress((Path(__file__).parent / f"{name}.s16.gz").read_bytes())
    return np.frombuffer(packed, "<i2").astype(float) / 32768
