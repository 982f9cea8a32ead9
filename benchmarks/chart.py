"""The chart for the README: CPU time per answer as bars and curves, in SVG for light and dark pages."""

from dataclasses import dataclass
from html import escape

from benchmarks import lines
from benchmarks.results import Described, Results
from benchmarks.table import chart_line, work_title

SHOWN = ("cached", "realistic", "misses")

WIDTH = 800
LABEL_WIDTH = 335
BAR_WIDTH = WIDTH - LABEL_WIDTH - 70
ROW_HEIGHT, BAR_HEIGHT, TITLE_HEIGHT, LEGEND_HEIGHT = 24, 15, 44, 34

STYLE = """\
text { font: 12.5px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 14px; }
.ours text, text.ours { font-weight: 700; }
.faint { fill: #59636e; }
.user { fill: #8c959f; } .system { fill: #c8cfd6; }
.ours .user { fill: #0969da; } .ours .system { fill: #80bbff; }
polyline { fill: none; stroke: #8c959f; stroke-width: 2; } circle { fill: #8c959f; } .axis { stroke: #c8cfd6; }
.ours polyline { stroke: #0969da; } .ours circle { fill: #0969da; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .faint { fill: #9198a1; }
  .user { fill: #8b949e; } .system { fill: #484f58; }
  .ours .user { fill: #58a6ff; } .ours .system { fill: #1f5aa8; }
  polyline { stroke: #8b949e; } circle { fill: #8b949e; } .axis { stroke: #484f58; }
  .ours polyline { stroke: #58a6ff; } .ours circle { fill: #58a6ff; }
}"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One server's cost, microseconds per answer."""

    title: str
    user: float
    system: float
    ours: bool

    @property
    def total(self) -> float:
        return self.user + self.system


def svg(results: Results) -> str:
    """The chart, one group of bars for each kind of work in SHOWN that was measured."""
    parts: list[str] = []
    y = LEGEND_HEIGHT
    for workload in results.workloads:
        if workload.name in SHOWN and (bars := _bars(results, workload)):
            parts.append(f'<text class="title" x="0" y="{y + 26}">{escape(workload.title)}</text>')
            y += TITLE_HEIGHT
            longest = max(bar.total for bar in bars)
            for bar in bars:
                parts.append(_drawn(bar, y, longest))
                y += ROW_HEIGHT
    legend = (
        f'<text x="0" y="16">CPU time per answer on one core, microseconds: less is better</text>'
        f'<g class="faint"><rect class="user" x="{WIDTH - 230}" y="5" width="12" height="12"/>'
        f'<text x="{WIDTH - 212}" y="16">in the program</text>'
        f'<rect class="system" x="{WIDTH - 105}" y="5" width="12" height="12"/>'
        f'<text x="{WIDTH - 87}" y="16">in the kernel</text></g>'
    )
    if grown := lines.svg(results, y, WIDTH):
        parts.append(grown)
        y += lines.HEIGHT
    parts.append(f'<text class="faint" x="0" y="{y + 20}">{escape(chart_line(results))}</text>')
    y += 24
    body = "\n".join([legend, *parts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 8}" width="{WIDTH}" height="{y + 8}" '
        f'role="img" aria-label="CPU time per answer of DNS caches">\n<style>\n{STYLE}\n</style>\n{body}\n</svg>\n'
    )


def _bars(results: Results, workload: Described) -> list[Bar]:
    """Cheapest first. Medians of parts do not add up to the median total: it is divided as they are."""
    bars = []
    for peer in results.peers:
        found = [results.figure(workload.name, peer.name, metric) for metric in ("cpu", "user", "system")]
        if all(found):
            cpu, user, system = (figure.median for figure in found if figure)
            in_program = cpu * user / (user + system)
            bars.append(Bar(work_title(workload.name, peer), in_program, cpu - in_program, peer.name == "ours"))
    return sorted(bars, key=lambda bar: bar.total)


def _drawn(bar: Bar, y: int, longest: float) -> str:
    user, system = (round(part / longest * BAR_WIDTH, 1) for part in (bar.user, bar.system))
    text_y = y + BAR_HEIGHT - 3
    return (
        f'<g class="{"ours" if bar.ours else "other"}">'
        f'<text x="{LABEL_WIDTH - 10}" y="{text_y}" text-anchor="end">{escape(bar.title)}</text>'
        f'<rect class="user" x="{LABEL_WIDTH}" y="{y}" width="{user}" height="{BAR_HEIGHT}"/>'
        f'<rect class="system" x="{LABEL_WIDTH + user:.1f}" y="{y}" width="{system}" height="{BAR_HEIGHT}"/>'
        f'<text x="{LABEL_WIDTH + user + system + 8:.1f}" y="{text_y}">{bar.total:.1f}</text></g>'
    )
