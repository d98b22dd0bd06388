"""The picture of the link's ladder in firmware/README.md: `python -m tests.firmware.session_diagram` draws it anew."""

from __future__ import annotations

from firmware.link import session
from tests.conftest import ROOT

README = ROOT / "firmware" / "README.md"
BEGIN, END = "<!-- session: made by tests/firmware/session_diagram.py -->\n", "<!-- end of session -->\n"


def diagram() -> str:
    """Return the state diagram (Mermaid) and the table of measures."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {session.REST}"]
    lines += [f"    {state} --> {following}: {event}" for (state, event), following in session.TABLE.items()]
    lines += ["```", "", "| offline for, % of `max_offline_s` | before the next attempt |", "| ---: | --- |"]
    lines += [f"| {percent} | {measure} |" for percent, measure in session.LADDER]
    return "\n".join(lines) + "\n"


def updated(readme: str) -> str:
    """Return the README with the present diagram between its marks."""
    before, rest = readme.split(BEGIN)
    return before + BEGIN + diagram() + END + rest.split(END)[1]


if __name__ == "__main__":
    README.write_text(updated(README.read_text("utf-8")), "utf-8")
