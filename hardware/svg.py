"""A small SVG canvas: boxes, lines with a white edge so that crossings can be told apart, dots, text and tags."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

FONT = "Helvetica, Arial, sans-serif"
_TAG_HEIGHT, _TAG_CHARACTER = 15, 6.6


class Canvas:
    """Collects shapes; `finish` returns the SVG text. Lines lie below everything else, whatever the order of calls."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._shapes: list[str] = []

    def box(self, x: float, y: float, width: float, height: float, *, fill: str, stroke: str) -> None:
        """Add a box with round corners; (x, y) is its upper left."""
        place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4"'
        self._shapes.append(f'<rect {place} fill="{fill}" stroke="{stroke}"/>')

    def lines(self, paths: Sequence[Sequence[tuple[float, float]]], colour: str) -> None:
        """Add polylines of one colour that belong together: their white edge cuts only lines added before."""
        for stroke, width in (("#fff", "6"), (colour, "2.2")):
            for path in paths:
                points = " ".join(f"{x:g},{y:g}" for x, y in path)
                style = f'fill="none" stroke="{stroke}" stroke-width="{width}" stroke-linecap="square"'
                self._lines.append(f'<polyline points="{points}" {style}/>')

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        """Add a filled circle."""
        self._shapes.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{colour}"/>')

    def text(
        self, x: float, y: float, text: str, *, size: int = 12, anchor: str = "start", bold: bool = False,
        fill: str = "#111",
    ) -> None:  # fmt: skip
        """Add one line of text with its base line at y; `anchor` is start, middle or end."""
        weight = ' font-weight="bold"' if bold else ""
        place = f'x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}"'
        self._shapes.append(f'<text {place} fill="{fill}"{weight}>{escape(text)}</text>')

    def tag(self, x: float, y: float, text: str, colour: str, *, anchor: str) -> None:
        """Add white text on a coloured label that begins (start) or ends (end) at x, centred on y."""
        width = len(text) * _TAG_CHARACTER + 8
        left = x - width if anchor == "end" else x
        self.box(left, y - _TAG_HEIGHT / 2, width, _TAG_HEIGHT, fill=colour, stroke=colour)
        self.text(left + width / 2, y + 4, text, size=11, anchor="middle", bold=True, fill="#fff")

    def finish(self, width: float, height: float, title: str) -> str:
        """Return the whole document; `title` is what a screen reader says."""
        size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family={quoteattr(FONT)} role="img">'
        paper = f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>'
        body = "\n".join([paper, *self._lines, *self._shapes])
        return f"{head}\n<title>{escape(title)}</title>\n{body}\n</svg>\n"
