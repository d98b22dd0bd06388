"""One row of the benchmark table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A figure with its target: `met` is None where the figure only stands beside others.

    beside: what else was measured in the same run, so that a reader can compare; form: what was run ("full", or what
    the short form left out).
    """

    name: str
    figure: float
    unit: str
    target: str = ""
    met: bool | None = None
    beside: str = ""
    form: str = "full"


def at_most(name: str, figure: float, unit: str, limit: float, beside: str = "", form: str = "full") -> Row:
    """Return a row that is met when figure <= limit."""
    return Row(name, figure, unit, f"<= {limit:g}", figure <= limit, beside, form)


def at_least(name: str, figure: float, unit: str, limit: float, beside: str = "", form: str = "full") -> Row:
    """Return a row that is met when figure >= limit."""
    return Row(name, figure, unit, f">= {limit:g}", figure >= limit, beside, form)


def markdown(rows: list[Row]) -> str:
    """Return the rows as one Markdown table."""
    head = "| name | figure | unit | target | met | beside it | form |\n| --- | ---: | --- | --- | --- | --- | --- |"
    met = {True: "yes", False: "NO", None: ""}
    lines = [
        f"| {r.name} | {r.figure:.4g} | {r.unit} | {r.target} | {met[r.met]} | {r.beside} | {r.form} |" for r in rows
    ]
    return "\n".join([head, *lines])
