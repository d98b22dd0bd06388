"""Eight boards at once against one, on this machine: see `provision_one`. The short form takes three."""

from __future__ import annotations

from tests.benchmarks.provision_one import FULL_BYTES, SHORT_BYTES, provision_s
from tests.benchmarks.row import Row, at_most


def run(short: bool) -> list[Row]:
    """Measure one board, then all at once."""
    boards, size = (3, SHORT_BYTES) if short else (8, FULL_BYTES)
    one_s, all_s = provision_s(1, size), provision_s(boards, size)
    beside = f"{all_s:.1f} s for {boards}, {one_s:.1f} s for one"
    form = f"{boards} boards, image of {size // 1000} kB"
    return [at_most("provision_eight", all_s / one_s, "times one board", 1.6, beside, form)]
