"""Pictures of series: in the terminal (plotext), and as PNG or SVG (matplotlib). Loaded only by who draws.

Times on the axis are local to the zone that is given.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from device_manager.errors import UsageError
from device_manager.series.colocation import Fit, Pairs

_POINTS = 2000  # more than a terminal can show
ENDINGS = (".png", ".svg")


class Curve(NamedTuple):
    """One line of a picture: begins (Unix s), values with NaN for gaps, and what it is called."""

    label: str
    start_s: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]


def in_terminal(curves: Sequence[Curve], title: str, unit: str, zone: ZoneInfo, size: tuple[int, int]) -> str:
    """Return a picture as text of `size` (columns, rows)."""
    import plotext

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(*size)
    for curve in curves:
        start_s, value = _thinned(curve)
        plotext.plot(start_s.tolist(), value.tolist(), label=curve.label if len(curves) > 1 else None, marker="braille")
    times = np.concatenate([curve.start_s for curve in curves])
    ticks = np.linspace(times.min(), times.max(), 5).round()
    plotext.xticks(ticks.tolist(), [f"{datetime.fromtimestamp(t, zone):%d.%m. %H:%M}" for t in ticks])
    plotext.title(title)
    plotext.ylabel(unit)
    text: str = plotext.uncolorize(plotext.build())
    return text


def _thinned(curve: Curve) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return present values, and of very many the lowest and highest of each stretch, so that no peak is lost."""
    good = ~np.isnan(curve.value)
    start_s, value = curve.start_s[good], curve.value[good]
    if len(value) <= _POINTS:
        return start_s, value
    edges = np.linspace(0, len(value), _POINTS // 2 + 1).astype(int)
    stretches = list(zip(edges[:-1], edges[1:], strict=True))
    low = [a + int(value[a:b].argmin()) for a, b in stretches]
    high = [a + int(value[a:b].argmax()) for a, b in stretches]
    keep = np.unique(low + high)
    return start_s[keep], value[keep]


def to_file(curves: Sequence[Curve], title: str, unit: str, zone: ZoneInfo, path: Path) -> None:
    """Write a picture; its ending says whether PNG or SVG."""
    figure, axes = _figure(path, (10, 4))
    for curve in curves:
        times: Any = [datetime.fromtimestamp(t, zone) for t in curve.start_s.tolist()]
        axes.plot(times, curve.value, linewidth=0.8, label=curve.label)
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
    if len(curves) > 1:
        axes.legend()
    figure.autofmt_xdate()
    _save(figure, path)


def colocation_to_file(pairs: Pairs, fit: Fit, title: str, unit: str, path: Path) -> None:
    """Write reference against sensor, before and after the correction."""
    figure, axes = _figure(path, (6, 6))
    axes.scatter(pairs.sensor, pairs.reference, s=8, alpha=0.5, label=f"as measured, RMSE {fit.rmse_before:.3g}")
    after = fit.apply(pairs.sensor)
    axes.scatter(after, pairs.reference, s=8, alpha=0.5, label=f"corrected, RMSE {fit.rmse_after:.3g}")
    low, high = float(pairs.reference.min()), float(pairs.reference.max())
    axes.plot([low, high], [low, high], color="black", linewidth=0.8, label="equal")
    axes.set_title(f"{title}: n {fit.n}, R² {fit.r2:.3f}")
    axes.set_xlabel(f"sensor, {unit}")
    axes.set_ylabel(f"reference, {unit}")
    axes.legend()
    axes.grid(alpha=0.3)
    _save(figure, path)


def _figure(path: Path, inches: tuple[int, int]) -> tuple[Any, Any]:
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(expected="a file ending in .png or .svg", got=path.name, todo="choose another name")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=150, format=path.suffix.lower().lstrip("."))
