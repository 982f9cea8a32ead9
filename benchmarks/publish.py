"""Where results go: the terminal and build/reports always, the documentation when asked."""

import json
from pathlib import Path

from benchmarks.chart import svg
from benchmarks.results import Results
from benchmarks.table import markdown, plain, whole

PAGE = Path("docs/performance.md")
CHART = Path("docs/assets/bench.svg")
BEGIN = "<!-- results: written by `python -m benchmarks --publish` -->"
END = "<!-- end of results -->"


def report(results: Results, path: Path) -> None:
    """Print the tables; write JSON, Markdown and SVG side by side."""
    print(whole(results, plain, lambda title: f"== {title}"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results.to_json(), indent=1) + "\n")
    path.with_suffix(".md").write_text(whole(results, markdown, lambda title: f"### {title.capitalize()}"))
    path.with_suffix(".svg").write_text(svg(results))


def publish(results: Results) -> None:
    """Put the tables between the marks in docs/performance.md, and the chart beside it; ValueError without marks."""
    text = PAGE.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f"{PAGE}: the marks for the results are missing")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    tables = whole(results, markdown, lambda title: f"### {title.capitalize()}")
    PAGE.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{after}")
    CHART.parent.mkdir(parents=True, exist_ok=True)
    CHART.write_text(svg(results))
