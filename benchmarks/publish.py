"""Where results go: the terminal and build/reports always, the documentation when asked."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chart import svg
from benchmarks.results import Results
from benchmarks.table import markdown, memory_sentence, plain, whole

CHART = Path("docs/assets/bench.svg")
SAYS = "CPU time per answer of nodelocaldns and other DNS caches, and how it grows with names and zones"


@dataclass(frozen=True, slots=True)
class Place:
    """A page, and the marks between which results are put."""

    page: Path
    what: str
    by: str = "python -m benchmarks --publish"

    @property
    def begin(self) -> str:
        return f"<!-- {self.what}: written by `{self.by}` -->"

    @property
    def end(self) -> str:
        return f"<!-- end of {self.what} -->"

    def put(self, folder: Path, text: str) -> None:
        """Write text between the marks; ValueError where they are missing."""
        page = folder / self.page
        before, begin, rest = page.read_text().partition(self.begin)
        _old, end, after = rest.partition(self.end)
        if not begin or not end:
            raise ValueError(f"{self.page}: the marks for the {self.what} are missing")
        page.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}")


TABLES = Place(Path("docs/performance.md"), "results")
README = Place(Path("README.md"), "chart")


def report(results: Results, path: Path) -> None:
    """Print the tables; write JSON, Markdown and SVG side by side."""
    print(whole(results, plain, lambda title: f"== {title}"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results.to_json(), indent=1) + "\n")
    path.with_suffix(".md").write_text(whole(results, markdown, lambda title: f"### {title[:1].upper()}{title[1:]}"))
    path.with_suffix(".svg").write_text(svg(results))


def publish(results: Results, folder: Path = Path()) -> None:
    """Put chart and tables into the pages in the repository's folder."""
    chart = folder / CHART
    chart.parent.mkdir(parents=True, exist_ok=True)
    chart.write_text(svg(results))
    tables = whole(results, markdown, lambda title: f"### {title[:1].upper()}{title[1:]}")
    TABLES.put(folder, f"{_picture(TABLES)}\n\n{tables}")
    README.put(folder, f"{_picture(README)}\n\n{memory_sentence(results)}")


def _picture(place: Place) -> str:
    return f"![{SAYS}]({Path(os.path.relpath(CHART, place.page.parent)).as_posix()})"
