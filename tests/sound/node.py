"""The sound level meter on real MicroPython: signals in, what it took out."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.tools import on_micropython

Floats = NDArray[np.float64]
SENSITIVITY, NOISE = -260, 290  # 0.1 dBFS at 94 dB SPL, 0.1 dBA
SETTLE_S = 0.5  # what the meter throws away first


def amplitude(level_db: float) -> float:
    """Peak of a sine of that sound pressure level, full scale = 1."""
    return float(10 ** ((level_db - 94 + SENSITIVITY / 10) / 20))


def sine(hz: float, level_db: float, seconds: float, rate_hz: int) -> Floats:
    """A tone at the microphone."""
    return amplitude(level_db) * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def frames(signal: Floats) -> bytes:
    """DMA frames of a signal: 24 bits, most significant first, in the first of two 32-bit slots; clipped."""
    whole = np.clip(np.round(signal * (1 << 23)), -(1 << 23), (1 << 23) - 1).astype("<i4") << 8
    return np.stack([whole, np.zeros_like(whole)], axis=1).tobytes()


def measure(
    signals: list[Floats], equaliser: str = "flat", rate_hz: int = 32000, take_s: float = 1.5
) -> list[list[dict[str, Any]]]:
    """What the meter took from every signal, every `take_s` from the signal's begin."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, signal in enumerate(signals):
            path = Path(folder) / f"{i}.frames"
            path.write_bytes(frames(signal))
            files.append(str(path))
        job = {
            "equaliser": equaliser, "rate_hz": rate_hz, "sensitivity": SENSITIVITY, "noise": NOISE,
            "take_blocks": round(take_s * 200), "files": files,
        }  # fmt: skip
        job_path = Path(folder) / "job.json"
        job_path.write_text(json.dumps(job))
        printed = on_micropython("on_micropython/sound_levels.py", str(job_path))
    return [json.loads(line) for line in printed.splitlines()]


def together_db(takes: list[dict[str, Any]]) -> float:
    """LAeq over several takes: energy is averaged, by measured time."""
    blocks = np.array([take["blocks"] for take in takes])
    levels = np.array([take["laeq_db"] for take in takes])
    return float(10 * np.log10((blocks * 10 ** (levels / 10)).sum() / blocks.sum()))
