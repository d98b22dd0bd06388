"""A-weighting of the meter's own code against IEC 61672-1 Table 3, the microphone and its equaliser included.

Tones at the table's exact frequencies reach the meter as the microphone of the data sheet would hand them on; 110 dB
SPL, one second after settling. Class 1 is judged from 31.5 Hz to 10 kHz at 48 kHz (and to 12.5 kHz at 32 kHz as well),
class 2 over the whole table at 32 kHz as far as it can be sampled; 20 kHz has no lower limit, and the microphone's own
filter removes it at 32 kHz (stop band 60 dB). The reading at 1 kHz is not subtracted: levels are absolute.
"""

from __future__ import annotations

from tests.benchmarks.row import Row, at_least
from tests.sound.node import measure, sine
from tests.sound.standard import MICROPHONES, TABLE_3, Line

LEVEL_DB = 110.0


def errors(equaliser: str, rate_hz: int) -> list[tuple[Line, float]]:
    """Frequencies that the rate and the data sheet have, and what the meter reads too much there, in dB."""
    known = [
        (line, response)
        for line, response in zip(TABLE_3, MICROPHONES[equaliser], strict=True)
        if response is not None and line.exact_hz < rate_hz / 2
    ]
    tones = [sine(line.exact_hz, LEVEL_DB + response, 1.5, rate_hz) for line, response in known]
    taken = measure(tones, equaliser, rate_hz)
    pairs = zip(known, taken, strict=True)
    return [(line, takes[0]["laeq_db"] - LEVEL_DB - line.a_db) for (line, _), takes in pairs]


def margin_db(found: list[tuple[Line, float]], of_class: int, low_hz: float, high_hz: float) -> tuple[float, float]:
    """Least distance to the limits of the class between two nominal frequencies, and the largest error there."""
    margins, largest = [], 0.0
    for line, error in found:
        if low_hz <= line.nominal_hz <= high_hz:
            upper, lower = line.class_1 if of_class == 1 else line.class_2
            margins.append(min(upper - error, error - lower))
            largest = max(largest, abs(error))
    return min(margins), largest


CASES = ((1, 48000, 31.5, 10000), (1, 32000, 31.5, 12500), (2, 32000, 10, 16000))


def run(short: bool) -> list[Row]:
    """Return the margins to the limits; the short form leaves out the INMP441."""
    rows = []
    names = [name for name in MICROPHONES if not (short and name == "inmp441")]
    form = "without inmp441" if short else "full"
    for name in names:
        found = {rate: errors(name, rate) for rate in (48000, 32000)}
        for of_class, rate, low_hz, high_hz in CASES:
            margin, largest = margin_db(found[rate], of_class, low_hz, high_hz)
            title = f"a_weighting, {name}, {rate // 1000} kHz, class {of_class} {low_hz:g} Hz-{high_hz / 1000:g} kHz"
            rows.append(at_least(title, margin, "dB to the limit", 0, f"largest error {largest:.2f} dB", form))
    return rows
