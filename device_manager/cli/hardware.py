"""`citynode hardware`: what nodes are made of, and whether a design works before anybody solders."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_manager.cli.output import Json, print_json, print_rows, say
from device_manager.errors import UsageError

if TYPE_CHECKING:
    from hardware.design import Design

app = typer.Typer(
    help="Hardware: boards, sensors, node designs, wiring, parts and power.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
DesignName = Annotated[str, typer.Argument(help="Name of a design; see `citynode hardware list`.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """List boards, sensors and node designs."""
    from hardware import catalog

    rows = [("design", one.name, one.title, one.source) for one in catalog.designs().values()]
    rows += [("board", one.name, one.title, one.source) for one in catalog.boards().values()]
    rows += [("sensor", one.name, one.title, one.source) for one in catalog.sensors().values()]
    columns = ("kind", "name", "title", "source")
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_rows(columns[:3], [row[:3] for row in rows])


@app.command()
def check(
    design: Annotated[str | None, typer.Argument(help="Name of a design; without one: all.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Check all designs.")] = False,
    json: Json = False,
) -> None:
    """Check designs: pins, addresses, clocks, supplies, speed, flash; exit code 1 when something does not fit."""
    from hardware import catalog
    from hardware.check import check as problems_of

    if design and every:
        raise UsageError(expected="a design or --all", got="both", todo="leave one out")
    chosen = [_find(design)] if design else list(catalog.designs().values())
    found = {one.name: problems_of(one) for one in chosen}
    if json:
        print_json({name: [_problem(problem) for problem in problems] for name, problems in found.items()})
    for name, problems in found.items():
        if not json:
            print(f"{name}: {'fit to build' if not problems else f'{len(problems)} problems'}")
        for problem in problems:
            say(f"{name}: {problem}")
    if any(found.values()):
        raise typer.Exit(1)


@app.command()
def wiring(
    design: DesignName,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="SVG file, else to stdout.")] = None,
) -> None:
    """Draw how a design is wired, as SVG."""
    from hardware.wiring import draw

    drawn = draw(_find(design))
    if out is None:
        print(drawn, end="")
        return
    out.write_text(drawn, "utf-8")
    say(f"wrote {out}")


@app.command()
def bom(
    design: DesignName,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of Markdown.")] = False,
    json: Json = False,
) -> None:
    """Print the parts list of a design."""
    from hardware import bom as parts

    found = _find(design)
    if json:
        print_json([dict(zip(parts.COLUMNS, row, strict=True)) for row in parts.bom(found)])
        return
    print(parts.to_csv(found) if csv else parts.to_markdown(found), end="")


@app.command()
def power(design: DesignName, json: Json = False) -> None:
    """Print what a design draws in each mode, from sourced numbers, and which numbers are not known."""
    from hardware.power import power as power_of

    found = _find(design)
    result = power_of(found)
    if json:
        draws = [{"mode": draw.mode, "rails_ma": draw.rails_ma, "watts": draw.watts} for draw in result.draws]
        print_json({"draws": draws, "unknown": result.unknown})
        return
    columns = ("mode", *(f"{rail} mA" for rail in found.rails), "W")
    print_rows(columns, [(draw.mode, *draw.rails_ma.values(), draw.watts) for draw in result.draws])
    limits = ", ".join(f"{rail.name} {rail.budget_ma:g} mA" for rail in found.rails.values())
    say(f"limits: {limits}")
    for line in result.unknown:
        say(f"not known: {line}")


@app.command()
def flash(json: Json = False) -> None:
    """Print how many days of records each design's outbox holds."""
    from dataclasses import asdict

    from hardware import catalog
    from hardware.flash_budget import budget

    budgets = [budget(design) for design in catalog.designs().values()]
    if json:
        print_json([asdict(one) for one in budgets])
        return
    columns = ("design", "board", "channels", "B/frame", "frames/sector", "outbox kB", "days", "days of noise")
    rows = [
        (b.design, b.board, b.channels, b.frame_bytes, b.sector_frames, b.outbox_bytes // 1024,
         round(b.days, 1), round(b.worst_days, 1))
        for b in budgets
    ]  # fmt: skip
    print_rows(columns, rows)


def _find(name: str) -> "Design":
    from hardware import catalog

    designs = catalog.designs()
    if name not in designs:
        raise UsageError(expected=f"a design of {', '.join(designs)}", got=name, todo="see `citynode hardware list`")
    return designs[name]


def _problem(problem: Any) -> dict[str, str]:
    return {key: getattr(problem, key) for key in ("where", "expected", "got", "todo")}
