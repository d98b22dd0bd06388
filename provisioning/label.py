"""What is stuck on the box: site, node id and a QR code, as PNG, SVG and PDF, and sheets of many for the printer.

The QR code holds `citynode:1:<node id>` and no more: sites change, ids do not.
"""

import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from xml.sax.saxutils import escape

import segno
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from firmware.wire import topics

WIDTH_MM, HEIGHT_MM = 62, 29  # a common size of label printers
SHEET_COLUMNS, SHEET_ROWS = 3, 9
_QR_MM, _MARGIN_MM = 25, 2
_DOTS_PER_MM = 12  # 300 dpi
_TEXT_X_MM = _QR_MM + 2 * _MARGIN_MM
_CODE = re.compile(r"citynode:1:(.+)")


@dataclass(frozen=True)
class Label:
    """What a label says; the title of the site is for people."""

    node: str
    site: str
    site_title: str

    @property
    def code(self) -> str:
        """The text of the QR code."""
        return f"citynode:1:{self.node}"

    @property
    def lines(self) -> tuple[tuple[str, float], ...]:
        """Text lines with their size in mm."""
        return ((self.node, _fitting(self.node)), (self.site_title[:32], 2.6), (self.site[:32], 2.6))


def scan(text: str) -> str | None:
    """Return the node id of a scanned QR text, None when it is not one of ours."""
    found = _CODE.fullmatch(text.strip())
    return found[1] if found and topics.is_node_id(found[1]) else None


def svg(label: Label) -> str:
    """Return the label as SVG, in millimetres."""
    dots = "".join(f"M{x} {y}h1v1h-1z" for x, y in _dark(label))
    scale = _QR_MM / _modules(label)
    texts, y = [], 9.0
    for text, size in label.lines:
        texts.append(
            f'<text x="{_TEXT_X_MM}" y="{y:g}" font-family="sans-serif" font-size="{size:g}">{escape(text)}</text>'
        )
        y += 6
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_MM}mm" height="{HEIGHT_MM}mm"'
        f' viewBox="0 0 {WIDTH_MM} {HEIGHT_MM}"><rect width="100%" height="100%" fill="#fff"/>'
        f'<path transform="translate({_MARGIN_MM} {_MARGIN_MM}) scale({scale:g})" d="{dots}"/>{"".join(texts)}</svg>\n'
    )


def png(label: Label) -> bytes:
    """Return the label as PNG, 300 dpi."""
    picture = Image.new("1", (WIDTH_MM * _DOTS_PER_MM, HEIGHT_MM * _DOTS_PER_MM), 1)
    draw = ImageDraw.Draw(picture)
    size = _QR_MM * _DOTS_PER_MM // _modules(label)
    start = _MARGIN_MM * _DOTS_PER_MM
    for x, y in _dark(label):
        left, top = start + x * size, start + y * size
        draw.rectangle((left, top, left + size - 1, top + size - 1), fill=0)
    y_mm = 5.0
    for text, size_mm in label.lines:
        font = ImageFont.load_default(size_mm * _DOTS_PER_MM)
        draw.text((_TEXT_X_MM * _DOTS_PER_MM, y_mm * _DOTS_PER_MM), text, font=font, fill=0)
        y_mm += 6
    out = BytesIO()
    picture.save(out, "PNG", dpi=(300, 300))
    return out.getvalue()


def pdf(label: Label) -> bytes:
    """Return the label as a PDF of its own size."""
    out = BytesIO()
    canvas = Canvas(out, pagesize=(WIDTH_MM * mm, HEIGHT_MM * mm))
    _draw(canvas, label, 0, 0)
    canvas.save()
    return out.getvalue()


def sheet(labels: list[Label]) -> bytes:
    """Return A4 pages of labels, 3 x 9 each, with cutting lines."""
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4)
    left_mm = (A4[0] / mm - SHEET_COLUMNS * WIDTH_MM) / 2
    for index, label in enumerate(labels):
        place = index % (SHEET_COLUMNS * SHEET_ROWS)
        if index and place == 0:
            canvas.showPage()
        row, column = divmod(place, SHEET_COLUMNS)
        x_mm, y_mm = left_mm + column * WIDTH_MM, A4[1] / mm - 15 - (row + 1) * HEIGHT_MM
        canvas.setLineWidth(0.1)
        canvas.rect(x_mm * mm, y_mm * mm, WIDTH_MM * mm, HEIGHT_MM * mm)
        _draw(canvas, label, x_mm, y_mm)
    canvas.save()
    return out.getvalue()


def write(folder: Path, label: Label) -> list[Path]:
    """Write a label in all three forms; returns the files."""
    folder.mkdir(exist_ok=True)
    forms = {".svg": svg(label).encode(), ".png": png(label), ".pdf": pdf(label)}
    for ending, data in forms.items():
        (folder / f"{label.node}{ending}").write_bytes(data)
    return [folder / f"{label.node}{ending}" for ending in forms]


def _draw(canvas: Canvas, label: Label, x_mm: float, y_mm: float) -> None:
    modules = _modules(label)
    size = _QR_MM / modules
    for x, y in _dark(label):
        bottom_mm = y_mm + _MARGIN_MM + (modules - 1 - y) * size
        canvas.rect((x_mm + _MARGIN_MM + x * size) * mm, bottom_mm * mm, size * mm, size * mm, stroke=0, fill=1)
    top_mm = y_mm + HEIGHT_MM - 9
    for text, size_mm in label.lines:
        canvas.setFont("Helvetica", size_mm * mm)
        canvas.drawString((x_mm + _TEXT_X_MM) * mm, top_mm * mm, text)
        top_mm -= 6


def _fitting(text: str) -> float:
    """Return the size in mm in which an id of up to 32 characters fits beside the code."""
    room_mm = WIDTH_MM - _TEXT_X_MM - 1
    return round(min(5.0, room_mm / (0.6 * len(text))), 2)


def _dark(label: Label) -> list[tuple[int, int]]:
    rows = segno.make_qr(label.code, error="m").matrix_iter(border=0)
    return [(x, y) for y, row in enumerate(rows) for x, dark in enumerate(row) if dark]


def _modules(label: Label) -> int:
    return int(segno.make_qr(label.code, error="m").symbol_size(border=0)[0])
