"""The import graph of the resolver as a picture: `python -m tests.lab.imports` writes docs/assets/imports.svg.

Rows are the layers that are linted (pyproject.toml), arrows what grimp finds in the code. Drawn is the transitive
reduction: who imports A, and A imports B, needs no arrow to B of its own. An arrow that passes rows has a point in each
of them, and rows are ordered by the mean place of their neighbours above and below, until few arrows cross (Sugiyama).
"""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "assets" / "imports.svg"
COMMAND = "python -m tests.lab.imports"
ROW, BOX, LETTER, GAP = 62, 28, 8.2, 18
_ROUNDS = 40
Edges = Mapping[str, Sequence[str]]


@dataclass(slots=True)
class Place:
    """A module, or (without a name) where an arrow passes a row. Its middle is at `x`."""

    name: str
    row: int
    x: float = 0.0

    @property
    def half(self) -> float:
        """Of its width."""
        return len(self.name) * LETTER / 2 + 10 if self.name else 3


def layers() -> list[list[str]]:
    """The modules of each layer, from the top."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (linted,) = (it["layers"] for it in tools["importlinter"]["contracts"] if it["id"] == "layers")
    return [[name.strip(" ()") for name in layer.split("|")] for layer in linted]


def imports() -> dict[str, set[str]]:
    """What each part of the resolver imports of the others, directly."""
    graph = grimp.build_graph("resolver", cache_dir=None)
    parts = sorted(graph.find_children("resolver"))
    for part in parts:
        graph.squash_module(part)
    return {
        _short(part): {_short(it) for it in graph.find_modules_directly_imported_by(part) if it in parts}
        - {_short(part)}
        for part in parts
    }


def reduced(edges: Mapping[str, set[str]]) -> Edges:
    """Without what follows from the others."""
    return {
        part: sorted(it for it in direct if not any(it in _reached(edges, other) for other in direct - {it}))
        for part, direct in edges.items()
    }


def _reached(edges: Mapping[str, Iterable[str]], start: str) -> set[str]:
    found: set[str] = set()
    ahead = [start]
    while ahead:
        new = set(edges[ahead.pop()]) - found
        found |= new
        ahead += new
    return found


def _short(module: str) -> str:
    return module.removeprefix("resolver.")


def drawn() -> str:
    """The picture."""
    modules = {name: Place(name, row) for row, names in enumerate(layers()) for name in names}
    ways: list[list[Place]] = []
    for part, targets in reduced(imports()).items():
        for target in targets:
            begin, end = modules[part], modules[target]
            ways.append([begin, *(Place("", row) for row in range(begin.row + 1, end.row)), end])
    rows: list[list[Place]] = [[] for _ in layers()]
    for place in [*modules.values(), *(point for way in ways for point in way[1:-1])]:
        rows[place.row].append(place)
    _arrange(rows, ways)
    return _svg(rows, ways)


def _arrange(rows: list[list[Place]], ways: Sequence[Sequence[Place]]) -> None:
    """Give each place its x: near its neighbours, in a row without overlaps."""
    above: dict[int, list[Place]] = {}
    below: dict[int, list[Place]] = {}
    for way in ways:
        for upper, lower in pairwise(way):
            below.setdefault(id(upper), []).append(lower)
            above.setdefault(id(lower), []).append(upper)
    for row in rows:
        _spread(row, {id(place): 40.0 * (2 * number - len(row)) for number, place in enumerate(row)})
    for turn in range(_ROUNDS):
        for row in rows if turn % 2 else reversed(rows):
            near = {}
            for place in row:
                beside = (above if turn % 2 else below).get(id(place)) or [place]
                near[id(place)] = sum(other.x for other in beside) / len(beside)
            if turn < _ROUNDS - 4:
                row.sort(key=lambda place: near[id(place)])
            _spread(row, near)


def _spread(row: list[Place], wanted: Mapping[int, float]) -> None:
    """As near to where they want to be as their order and their widths allow."""
    left: list[float] = []
    edge = -math.inf
    for place in row:
        left.append(max(wanted[id(place)], edge + place.half))
        edge = left[-1] + place.half + _gap(place)
    edge = math.inf
    right: list[float] = []
    for place in reversed(row):
        right.append(min(wanted[id(place)], edge - place.half))
        edge = right[-1] - place.half - _gap(place)
    for place, one, other in zip(row, left, reversed(right), strict=True):
        place.x = (one + other) / 2


def _gap(place: Place) -> float:
    return GAP if place.name else 8


def _svg(rows: Sequence[Sequence[Place]], ways: Sequence[Sequence[Place]]) -> str:
    places = [place for row in rows for place in row]
    left = min(place.x - place.half for place in places) - 4
    width = max(place.x + place.half for place in places) + 4 - left
    font = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left:.0f} 0 {width:.0f} {ROW * len(rows)}" role="img"'
            f' aria-labelledby="t d" font-family="{font}" font-size="13.5">'
        ),
        '<title id="t">What imports what in the resolver</title>',
        '<desc id="d">Rows are layers; arrows point downwards only, from who imports to what is imported.</desc>',
        _STYLE,
    ]
    lines += [f'<path class="way" d="{_path(way)}"/>' for way in ways]
    lines += [f'<path class="head" d="M{way[-1].x:.0f} {_top(way[-1]):.0f}l-4 -8h8Z"/>' for way in ways]
    for place in (place for place in places if place.name):
        corner = f'x="{place.x - place.half:.0f}" y="{_top(place):.0f}"'
        lines += [
            f'<rect {corner} width="{2 * place.half:.0f}" height="{BOX}" rx="6"/>',
            f'<text x="{place.x:.0f}" y="{_top(place) + 18.5:.1f}" text-anchor="middle">{place.name}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def _top(place: Place) -> float:
    return place.row * ROW + (ROW - BOX) / 2


def _path(way: Sequence[Place]) -> str:
    """From the lower edge of the first to the head above the last; straight down past the boxes between."""
    parts = [f"M{way[0].x:.0f} {_top(way[0]) + BOX:.0f}"]
    for upper, lower in pairwise(way):
        begin, end = _top(upper) + BOX, _top(lower) - (6 if lower is way[-1] else 0)
        middle = (begin + end) / 2
        parts.append(f"C{upper.x:.0f} {middle:.0f} {lower.x:.0f} {middle:.0f} {lower.x:.0f} {end:.0f}")
        if lower is not way[-1]:
            parts.append(f"V{end + BOX:.0f}")
    return "".join(parts)


_STYLE = """<style>
  :root { --box: #f4f6f8; --line: #56606b; --way: #0b5fb0; --text: #1b2026; }
  @media (prefers-color-scheme: dark) { :root { --box: #171d23; --line: #9da8b3; --way: #7cbcff; --text: #e6ebf0; } }
  text { fill: var(--text); } rect { fill: var(--box); stroke: var(--line); }
  .way { fill: none; stroke: var(--way); stroke-width: 1.4; opacity: .75; } .head { fill: var(--way); }
</style>"""


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
