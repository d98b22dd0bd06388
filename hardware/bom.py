"""The parts list of a design, as rows, Markdown or CSV. No prices and no shops: these change, the parts do not."""

from __future__ import annotations

import csv
import io

from hardware.design import Design, Part

COLUMNS = ("count", "part", "purpose", "document")


def bom(design: Design) -> list[tuple[int, str, str, str]]:
    """Return rows of COLUMNS: the board, sensors, supplies, then the rest."""
    rows = [(1, design.board.part, "board", design.board.source)]
    rows += [(1, m.sensor.part, f"sensor {m.name}", m.sensor.source) for m in design.sensors]
    rows += [(1, rail.part, f"supply {rail.name}", "") for rail in design.rails.values() if rail.part]
    return rows + [_row(part) for part in design.parts]


def to_markdown(design: Design) -> str:
    """Return the parts list as a Markdown document."""
    lines = [f"# Parts list: {design.title}", "", f"| {' | '.join(COLUMNS)} |", "| ---: | --- | --- | --- |"]
    lines += [f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in bom(design)]
    return "\n".join(lines) + "\n"


def to_csv(design: Design) -> str:
    """Return the parts list as CSV with a header, lines ending in LF."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(bom(design))
    return out.getvalue()


def _row(part: Part) -> tuple[int, str, str, str]:
    return part.count, part.part, part.purpose, ""
