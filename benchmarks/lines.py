"""The chart's curves: how the cost of an answer grows with the number of names and of zones, as small line charts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks import curves
from benchmarks.results import Results

HEIGHT = 190
PLOT_TOP, PLOT_HEIGHT, TICKS_HEIGHT = 46, 110, 20
LEFT, NAMES_WIDTH, NAMES_GAP = 24, 128, 24
SHOWN = ("ours", "unbound")
HEADROOM = 1.25
ABOVE, BELOW = -8, 17
"""Where a value is written, pixels from its point."""


@dataclass(frozen=True, slots=True)
class Line:
    """One server's cost, microseconds per answer, at each place of the horizontal axis; None where none was found."""

    title: str
    costs: list[float | None]
    ours: bool


def svg(results: Results, y: int, width: int) -> str:
    """Both curves side by side; empty where neither was measured."""
    panels = [
        ("cached, by names remembered", curves.NAMES, _lines(results, curves.names_work, curves.NAMES)),
        ("cached, by zones configured", curves.ZONES, _lines(results, curves.zones_work, curves.ZONES)),
    ]
    measured = [panel for panel in panels if panel[2]]
    return "\n".join(
        _panel(number * (width // 2), y, width // 2 - 10, title, places, lines)
        for number, (title, places, lines) in enumerate(measured)
    )


def _lines(results: Results, work: Callable[[int], str], places: Sequence[int]) -> list[Line]:
    lines = []
    for peer in SHOWN:
        figures = [results.figure(work(place), peer, "cpu") for place in places]
        if any(figures):
            costs = [figure.median if figure else None for figure in figures]
            lines.append(Line(results.peer_title(peer), costs, peer == "ours"))
    return lines


def _panel(x: int, y: int, width: int, title: str, places: Sequence[int], lines: Sequence[Line]) -> str:
    bottom = y + PLOT_TOP + PLOT_HEIGHT
    right = x + width - NAMES_WIDTH
    scale = PLOT_HEIGHT / (HEADROOM * max(cost for line in lines for cost in line.costs if cost is not None))
    across = [x + LEFT + number * (right - x - LEFT) / (len(places) - 1) for number in range(len(places))]
    parts = [
        f'<text class="title" x="{x}" y="{y + 26}">{escape(title)}</text>',
        f'<line class="axis" x1="{x}" y1="{bottom}" x2="{right + 10}" y2="{bottom}"/>',
    ]
    for place, at in enumerate(across):
        label = f"{places[place]:,}"
        parts.append(
            f'<text class="faint" x="{at:.1f}" y="{bottom + TICKS_HEIGHT}" text-anchor="middle">{label}</text>'
        )
    highest = [max((line.costs[place] or 0.0) for line in lines) for place in range(len(places))]
    for line in lines:
        points = [
            (at, bottom - cost * scale, cost, ABOVE if cost == most else BELOW)
            for at, cost, most in zip(across, line.costs, highest, strict=True)
            if cost is not None
        ]
        parts.append(_drawn(line, points, right + NAMES_GAP))
    return "\n".join(parts)


def _drawn(line: Line, points: Sequence[tuple[float, float, float, int]], names_x: int) -> str:
    """A line through points of x, y, the cost there and where to write it, with the server's name beside the last."""
    path = " ".join(f"{at:.1f},{height:.1f}" for at, height, _cost, _offset in points)
    marks = "".join(f'<circle cx="{at:.1f}" cy="{height:.1f}" r="3"/>' for at, height, _cost, _offset in points)
    values = "".join(
        f'<text x="{at:.1f}" y="{height + offset:.1f}" text-anchor="middle">{cost:.1f}</text>'
        for at, height, cost, offset in points
    )
    _at, height, _cost, offset = points[-1]
    return (
        f'<g class="{"ours" if line.ours else "other"}"><polyline points="{path}"/>{marks}{values}'
        f'<text x="{names_x}" y="{height + offset:.1f}">{escape(line.title)}</text></g>'
    )
