"""How commands show things: JSON for programs, a table for people, plain lines for pipes and for much."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", envvar="CITYNODE_DATA", show_envvar=True, help="Data directory of the fleet."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
TABLE_ROWS = 300
_NUMBER = re.compile(r"-|-?[0-9]+(\.[0-9]*)?")  # "-" alone is a missing one


def print_json(value: object) -> None:
    """Print a value as JSON; anything unknown to JSON as its text."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as a table on a terminal, or as tab-separated lines under a header for pipes and above 300 rows."""
    rows = list(rows)
    if not sys.stdout.isatty() or len(rows) > TABLE_ROWS:
        lines = ["\t".join(columns), *("\t".join(map(text, row)) for row in rows), ""]
        sys.stdout.write("\n".join(lines))
        return
    from rich.console import Console

    Console(highlight=False).print(table(columns, rows))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    """Return a rich table; columns stand on the right unless one of their cells is a text that is no number."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    cells = [[text(cell) for cell in row] for row in rows]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for index, column in enumerate(columns):
        numbers = all(_NUMBER.fullmatch(row[index]) for row in cells)
        made.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in cells:
        made.add_row(*map(Text, row))
    return made


def text(cell: Any) -> str:
    """Return a cell as text; None is a dash."""
    return "-" if cell is None else str(cell)


def say(line: str) -> None:
    """Print a line for people to stderr, where it disturbs no pipe."""
    print(line, file=sys.stderr, flush=True)


def age(seconds: int | None) -> str | None:
    """Return seconds in the largest unit that keeps them short: 45 s, 12 min, 5 h, 3 d."""
    if seconds is None:
        return None
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86_400} d"
