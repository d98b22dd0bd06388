"""Judges what a sensor read at the bench: every input must have a value inside what its quantity can be at all."""

from typing import Any, NamedTuple

from firmware.wire import quality
from hardware.catalog import quantities


class Reading(NamedTuple):
    """One input of one sensor: value in `unit` or None, the limits, and what is wrong or ""."""

    sensor: str
    quantity: str
    value: float | None
    unit: str
    limits: tuple[float, float] | None
    problem: str


def judge(reports: list[dict[str, Any]]) -> list[Reading]:
    """Return a row for each input of the reports that a board's self-test gave (see `console`)."""
    rows: list[Reading] = []
    for report in reports:
        if report["error"]:
            rows.append(Reading(report["sensor"], "-", None, "", None, report["error"]))
            continue
        rows += [_reading(report["sensor"], name, *pair) for name, pair in report["values"].items()]
    return rows


def _reading(sensor: str, name: str, raw: int | None, flags: int) -> Reading:
    known = quantities()[name]
    value = None if raw is None else raw / known.denominator
    problem = ""
    # Beside a total it says that something may have gone by uncounted (firmware/README.md): a busy node, no fault.
    if flags & quality.FAULT and (known.kind != "total" or value is None):
        problem = "the sensor reports a fault"
    elif value is None and not flags & quality.WARM_UP:
        problem = "no value"
    elif value is not None and known.range and not known.range[0] <= value <= known.range[1]:
        problem = f"outside {known.range[0]:g} to {known.range[1]:g}"
    return Reading(sensor, name, value, known.unit, known.range, problem)
