"""The page of `top` as text: tables, the busiest first. Pure.

With several workers the same key comes from each of them: rows are added up. `before` is the page of a moment ago, from
which the upstreams' numbers of this moment are. Tables fill the terminal's width, so that their numbers stand in line.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Page = Mapping[str, Any]
NARROWEST, WIDEST = 60, 100
"""Columns: on a narrower terminal lines wrap, and on a wider one numbers would stand too far from their names."""
_NUMBER = 10
"""Columns for a number and its heading."""


def screen(page: Page, before: Page | None, rows: int, columns: int = 80) -> str:
    """One page for a terminal with that many columns, its last line with a newline."""
    width = min(max(columns, NARROWEST), WIDEST)
    seconds = page["seconds"] // page.get("workers", 1)
    parts = [f"{page['queries']} queries in {seconds} s\n"]
    pods = added(page["pods"], ("namespace", "pod", "workload"))
    tables: Sequence[tuple[str, Sequence[str], list[dict[str, Any]]]] = (
        ("PODS", ("namespace", "pod"), pods),
        ("NAMESPACES", ("namespace",), added(page["namespaces"], ("namespace",))),
        ("NAMES", ("name",), added(page["names"], ("name",))),
        ("NO SUCH NAME", ("name",), added(page["missing"], ("name",))),
    )
    for title, keys, table in tables:
        body = [
            (" ".join(str(row[key]) or "-" for key in keys), f"{row['rate']:.1f}/s", str(row["queries"]))
            for row in table[:rows]
        ]
        parts.append(_table((title, "LATELY", "QUERIES"), body, width))
    parts.append(_table(("SLOWEST UPSTREAMS", "MS", "ANSWERS", "FAILURES"), _upstreams(page, before)[:rows], width))
    return "\n".join(parts)


def added(rows: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Rows with the same keys added up, the busiest first."""
    sums: dict[tuple[object, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[each] for each in keys)
        known = sums.setdefault(key, {**row, "queries": 0, "rate": 0.0})
        known["queries"] += row["queries"]
        known["rate"] += row["rate"]
    return sorted(sums.values(), key=lambda row: (-row["rate"], -row["queries"], str(row)))


def _upstreams(page: Page, before: Page | None) -> list[tuple[str, ...]]:
    then = {} if before is None else _by_server(before)
    found = []
    for key, (answers, seconds, failures, down) in _by_server(page).items():
        old = then.get(key, (0, 0.0, 0, False))
        new = answers - old[0]
        mean = 1000 * (seconds - old[1]) / new if new > 0 else 0.0
        found.append((mean, (f"{key}{' DOWN' if down else ''}", f"{mean:.1f}", str(new), str(failures - old[2]))))
    return [row for _, row in sorted(found, key=lambda each: -each[0])]


def _by_server(page: Page) -> dict[str, tuple[int, float, int, bool]]:
    sums: dict[str, tuple[int, float, int, bool]] = {}
    for each in page["upstreams"]:
        key = f"{each['to']} {each['transport']}"
        answers, seconds, failures, down = sums.get(key, (0, 0.0, 0, False))
        sums[key] = (
            answers + each["answers"], seconds + each["busySeconds"], failures + each["failures"], down or each["down"],
        )  # fmt: skip
    return sums


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    names = width - _NUMBER * (len(head) - 1)
    return "".join(
        _short(row[0], names).ljust(names) + "".join(cell.rjust(_NUMBER) for cell in row[1:]) + "\n"
        for row in (head, *rows)
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
