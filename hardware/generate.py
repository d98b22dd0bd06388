"""Write the generated files of the repository from the catalogue: `python -m hardware.generate [--check]`.

Today: firmware/wire/quantities.py. `--check` writes nothing and exits 1 when a file is not what it would write.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hardware.catalog import quantities

ROOT = Path(__file__).parent.parent
HEADER = '''"""What can be measured: generated from hardware/quantities.toml; do not edit.

Written by `python -m hardware.generate`.

QUANTITIES: name -> (UCUM unit, denominator, kind). Value on the wire = reading * denominator, as an integer.
"""

'''


def quantities_module() -> str:
    """Return the text of firmware/wire/quantities.py."""
    rows = [f'    "{q.name}": ("{q.unit}", {q.denominator}, "{q.kind}"),\n' for q in quantities().values()]
    return HEADER + "QUANTITIES = {\n" + "".join(rows) + "}\n"


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
