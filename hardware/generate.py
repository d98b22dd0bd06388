"""Write the generated files of the repository from the catalogue: `python -m hardware.generate [--check]`.

Today: firmware/wire/quantities.py. `--check` writes nothing and exits 1 when a file is not what it would write.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hardware.catalog import Quantity, quantities

ROOT = Path(__file__).parent.parent
HEADER = '''"""What can be measured: generated from hardware/quantities.toml; do not edit.

Written by `python -m hardware.generate`.

QUANTITIES: name -> (UCUM unit, denominator, kind, least, most). Value on the wire = reading * denominator, as an
integer; `least` and `most` are what it can be on the wire at all, None where nothing is impossible.
"""

'''


def quantities_module() -> str:
    """Return the text of firmware/wire/quantities.py."""
    return HEADER + "QUANTITIES = {\n" + "".join(map(_row, quantities().values())) + "}\n"


def _row(quantity: Quantity) -> str:
    words = f'"{quantity.unit}", {quantity.denominator}, "{quantity.kind}", {_limits(quantity)}'
    return f'    "{quantity.name}": ({words}),\n'


def _limits(quantity: Quantity) -> str:
    if quantity.range is None:
        return "None, None"
    return ", ".join(str(round(limit * quantity.denominator)) for limit in quantity.range)


def main(arguments: list[str]) -> int:
    """Write, or with --check compare, every generated file; return the exit code."""
    path, text = ROOT / "firmware" / "wire" / "quantities.py", quantities_module()
    if path.exists() and path.read_text("utf-8") == text:
        return 0
    if "--check" in arguments:
        print(f"{path.relative_to(ROOT)}: out of date: run python -m hardware.generate", file=sys.stderr)
        return 1
    path.write_text(text, "utf-8")
    print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
