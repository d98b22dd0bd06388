"""Run benchmarks and print one table: `python -m tests.benchmarks [NAME ...] [--short] [--json]`."""

from __future__ import annotations

import argparse
import json
import pkgutil
import sys
import time
from dataclasses import asdict
from importlib import import_module

from tests import benchmarks
from tests.benchmarks.row import Row, markdown

NOT_BENCHMARKS = {
    "__main__",
    "city_store",
    "drain",
    "encoding",
    "feed",
    "fault_cases",
    "fault_list",
    "node_red",
    "pacer",
    "pacing",
    "replay",
    "row",
    "tools",
    "twin_store",
}


def names() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in NOT_BENCHMARKS)


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, or all; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    parser.add_argument("--short", action="store_true", help="the short form of benchmarks that take long")
    parser.add_argument("--json", action="store_true", help="a list of objects instead of a Markdown table")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(names()):
        parser.error(f"expected {', '.join(names())}; got {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    for name in options.names or names():
        began = time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += import_module(f"tests.benchmarks.{name}").run(options.short)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(json.dumps([asdict(row) for row in rows], indent=1) if options.json else markdown(rows))
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
