"""Draw a design's wiring as SVG: the board's headers as they are, parts to the right, one colour and lane for each net.

The board is seen from above and turned so that its busier header lies on the right, towards the parts. A net is a
vertical lane; pins join it by horizontal lines, a dot marks a joint. Nets of the left header run over the board. Below
stands the same as a list, so that the drawing also serves without colours, and what else to fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap

from hardware.design import Design
from hardware.nets import GROUND, Block, connections, headers, parts
from hardware.svg import Canvas

PITCH, LANE, MARGIN = 22, 14, 30
BOARD_WIDTH, BLOCK_WIDTH, TAG_WIDTH = 290, 300, 96
TITLE_CHARACTERS, LIST_CHARACTERS = 40, 100
SUPPLY_COLOURS = {"5V": "#c62828", "3V3": "#ef6c00", GROUND: "#212121"}
UNUSED, UNUSED_TEXT = "#b0b8b0", "#7f897f"
COLOURS = ("#1565c0", "#2e7d32", "#6a1b9a", "#00838f", "#ad1457", "#827717", "#4e342e", "#0277bd", "#558b2f", "#d81b60")


@dataclass(frozen=True, slots=True)
class End:
    """Where a net meets a pin: at (`x`, `y`), on the left side of the board or not."""

    net: str
    x: float
    y: float
    on_left: bool


def draw(design: Design) -> str:
    """Return the SVG text of a design's wiring."""
    right, *others = headers(design)
    colours = _colours(design)
    over_board = [pin.net for block in others for pin in block.pins if pin.net]
    top = MARGIN + 50.0 + LANE * len(over_board)
    board_x = MARGIN + (TAG_WIDTH + LANE * len(over_board) if over_board else 0)
    lanes_x = board_x + BOARD_WIDTH + TAG_WIDTH
    parts_x = lanes_x + LANE * len(colours) + TAG_WIDTH
    canvas = Canvas()
    ends, bottom = _draw_board(canvas, design, [right, *others], colours, board_x, top)
    y = top
    for block in parts(design):
        ends += _draw_part(canvas, block, colours, parts_x, y)
        y += _part_height(block) + PITCH
    _draw_nets(canvas, ends, colours, lanes_x, board_x, top)
    canvas.text(MARGIN, MARGIN, design.title, size=20, bold=True)
    canvas.text(MARGIN, MARGIN + 20, f"{design.board.title}, design {design.name}", size=13)
    height = _draw_list(canvas, design, colours, max(bottom, y) + PITCH)
    return canvas.finish(parts_x + BLOCK_WIDTH + MARGIN, height, f"Wiring: {design.title}")


def _colours(design: Design) -> dict[str, str]:
    free = iter(COLOURS * 4)
    return {net: SUPPLY_COLOURS.get(net) or next(free) for net, _ in connections(design)}


def _draw_board(
    canvas: Canvas, design: Design, blocks: list[Block], colours: dict[str, str], x: float, top: float
) -> tuple[list[End], float]:
    height = PITCH * (max(len(block.pins) for block in blocks) + 2)
    turned = blocks[0].name == next(iter(design.board.headers))
    upper, lower = ("USB", "antenna") if turned else ("antenna", "USB")
    middle = x + BOARD_WIDTH / 2
    canvas.box(x, top, BOARD_WIDTH, height, fill="#f5f7f5", stroke="#2e5339")
    canvas.text(middle, top + 15, upper, size=11, anchor="middle", fill="#607060")
    canvas.text(middle, top + height - 8, lower, size=11, anchor="middle", fill="#607060")
    canvas.text(middle, top + height / 2, design.board.chip, size=14, anchor="middle", bold=True)
    ends = []
    for block, on_left in zip(blocks, (False, True), strict=False):
        edge = x if on_left else x + BOARD_WIDTH
        ends += _draw_header(canvas, block, colours, edge, top + PITCH, on_left=on_left, turned=turned)
    return ends, top + height


def _draw_header(
    canvas: Canvas, block: Block, colours: dict[str, str], x: float, top: float, *, on_left: bool, turned: bool
) -> list[End]:
    inwards, anchor = (1, "start") if on_left else (-1, "end")
    numbered = list(enumerate(block.pins, 1))
    ends = []
    for row, (number, pin) in enumerate(reversed(numbered) if turned else numbered):
        y = top + PITCH * (row + 0.5)
        colour, fill = colours.get(pin.net, UNUSED), "#111" if pin.net else UNUSED_TEXT
        canvas.dot(x + inwards * 9, y, 4, colour)
        text = f"{number}  {pin.label}" if on_left else f"{pin.label}  {number}"
        canvas.text(x + inwards * 19, y + 4, text, anchor=anchor, bold=bool(pin.net), fill=fill)
        if pin.net:
            canvas.tag(x - inwards * 6, y, pin.net, colour, anchor="end" if on_left else "start")
            ends.append(End(pin.net, x, y, on_left))
    canvas.text(x + inwards * 9, top - 3, block.name, size=11, anchor=anchor, bold=True)
    return ends


def _title(block: Block) -> list[str]:
    return wrap(block.title, TITLE_CHARACTERS)


def _part_height(block: Block) -> float:
    return PITCH * (len(block.pins) + 0.6) + 17 * len(_title(block)) + 15 * len(block.notes)


def _draw_part(canvas: Canvas, block: Block, colours: dict[str, str], x: float, top: float) -> list[End]:
    canvas.box(x, top, BLOCK_WIDTH, _part_height(block), fill="#fffdf5", stroke="#6d6650")
    y = top + 4.0
    for line in _title(block):
        y += 17
        canvas.text(x + 10, y, line, bold=True)
    for note in block.notes:
        y += 15
        canvas.text(x + 10, y, note, size=11, fill="#5a5546")
    ends = []
    for pin in block.pins:
        y += PITCH
        colour, fill = colours.get(pin.net, UNUSED), "#111" if pin.net else UNUSED_TEXT
        canvas.dot(x + 9, y - 4, 4, colour)
        label = pin.label if pin.net else f"{pin.label} (leave open)"
        canvas.text(x + 19, y, label, bold=bool(pin.net), fill=fill)
        if pin.net:
            canvas.tag(x - 6, y - 4, pin.net, colour, anchor="end")
            ends.append(End(pin.net, x, y - 4, False))
    return ends


def _draw_nets(
    canvas: Canvas, ends: list[End], colours: dict[str, str], lanes_x: float, board_x: float, top: float
) -> None:
    on_left = [end for end in ends if end.on_left]
    for index, (net, colour) in enumerate(colours.items()):
        lane = lanes_x + LANE * index
        ys = [end.y for end in ends if end.net == net and not end.on_left]
        paths = [[(end.x, end.y), (lane, end.y)] for end in ends if end.net == net and not end.on_left]
        for number, end in enumerate(on_left, 1):
            if end.net == net:
                x, y = board_x - TAG_WIDTH - LANE * (number - 1), top - LANE * number
                paths.append([(end.x, end.y), (x, end.y), (x, y), (lane, y)])
                ys.append(y)
        canvas.lines([*paths, [(lane, min(ys)), (lane, max(ys))]], colour)
        for y in ys:
            if min(ys) < y < max(ys):
                canvas.dot(lane, y, 3.5, colour)


def _draw_list(canvas: Canvas, design: Design, colours: dict[str, str], top: float) -> float:
    canvas.text(MARGIN, top, "Connections", size=15, bold=True)
    y = top + PITCH
    for net, places in connections(design):
        canvas.box(MARGIN, y - 10, 16, 11, fill=colours[net], stroke=colours[net])
        canvas.text(MARGIN + 26, y, net, bold=True)
        for line in wrap("  —  ".join(places), LIST_CHARACTERS):
            canvas.text(MARGIN + 130, y, line)
            y += 18
    for part in design.parts:
        canvas.text(MARGIN + 26, y, f"{part.count} x", bold=True)
        for line in wrap(f"{part.part}: {part.purpose}", LIST_CHARACTERS):
            canvas.text(MARGIN + 130, y, line)
            y += 18
    return y + MARGIN
