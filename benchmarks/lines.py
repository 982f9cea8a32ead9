"""The chart's curves: how the cost of an answer grows with the number of names and of zones, as small line charts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks import curves
from benchmarks.results import Results

HEIGHT = 170
PLOT_TOP, PLOT_HEIGHT, TICKS_HEIGHT = 44, 92, 20
LEFT, NAMES_WIDTH = 24, 108
SHOWN = ("ours", "unbound")
HEADROOM = 1.25
LINE_HEIGHT = 14


@dataclass(frozen=True, slots=True)
class Line:
    """One server's cost, microseconds per answer, at each place of the horizontal axis; None where none was found."""

    title: str
    costs: list[float | None]
    ours: bool

    @property
    def last(self) -> float:
        return next((cost for cost in reversed(self.costs) if cost is not None), 0.0)


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
    highest = max(cost for line in lines for cost in line.costs if cost is not None) * HEADROOM
    across = [x + LEFT + number * (right - x - LEFT) / (len(places) - 1) for number in range(len(places))]
    parts = [
        f'<text class="title" x="{x}" y="{y + 26}">{escape(title)}</text>',
        f'<line class="axis" x1="{x}" y1="{bottom}" x2="{right + 10}" y2="{bottom}"/>',
    ]
    parts += [
        f'<text class="faint" x="{at:.1f}" y="{bottom + TICKS_HEIGHT}" text-anchor="middle">{place:,}</text>'
        for at, place in zip(across, places, strict=True)
    ]
    above = len(lines) > 1
    for line in sorted(lines, key=lambda line: line.last, reverse=True):
        points = [
            (at, bottom - cost / highest * PLOT_HEIGHT, cost)
            for at, cost in zip(across, line.costs, strict=True)
            if cost is not None
        ]
        parts.append(_drawn(line, points, right + 14, above=above or len(lines) == 1))
        above = False
    return "\n".join(parts)


def _drawn(line: Line, points: Sequence[tuple[float, float, float]], names_x: int, *, above: bool) -> str:
    path = " ".join(f"{at:.1f},{height:.1f}" for at, height, _cost in points)
    marks = "".join(f'<circle cx="{at:.1f}" cy="{height:.1f}" r="3"/>' for at, height, _cost in points)
    offset = -7 if above else LINE_HEIGHT + 3
    values = "".join(
        f'<text x="{at:.1f}" y="{height + offset:.1f}" text-anchor="middle">{cost:.1f}</text>'
        for at, height, cost in points
    )
    name_y = points[-1][1] + (-2 if above else LINE_HEIGHT - 4)
    return (
        f'<g class="{"ours" if line.ours else "other"}"><polyline points="{path}"/>{marks}{values}'
        f'<text x="{names_x}" y="{name_y:.1f}">{escape(line.title)}</text></g>'
    )
