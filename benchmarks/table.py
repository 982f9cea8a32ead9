"""Reports as text: tables for the terminal and for Markdown, from the same rows."""

from collections.abc import Callable, Collection, Mapping, Sequence

from benchmarks.goals import GOALS, Goal, Growth
from benchmarks.others import BUSY_SHARE
from benchmarks.results import Described, Figure, Results

INVALID = "INVALID"
NONE = "–"
BUSY_RUNS = 0.1
"""From this share of busy runs on, the machine is called busy."""
ASKING = ("realistic", "misses")
"""Kinds of work in which servers ask the upstream."""

Row = list[str]
Layout = Callable[[Sequence[Row]], str]
"""Rows, the first one the heading, to text."""


def plain(rows: Sequence[Row]) -> str:
    """Columns for a terminal: the first to the left, figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def named(rows: Sequence[Mapping[str, str | float | None]], without: Collection[str] = ()) -> list[Row]:
    """Rows from what each column is in each of them; nothing stands for None."""
    columns = [name for name in rows[0] if name not in without]
    return [[name.strip() for name in columns], *([_cell(each[name]) for name in columns] for each in rows)]


def _cell(value: str | float | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:,}"


def markdown(rows: Sequence[Row], words: int = 1) -> str:
    """A Markdown table: so many columns of words, then figures."""
    head, *body = rows
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * words + "---:|" * (len(head) - words)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in body])


def work_rows(results: Results, workload: Described) -> list[Row]:
    """One kind of work: CPU time per answer of every server, cheapest first, and what goes with it."""
    steady = workload.name == "steady"
    head = ["server", "CPU µs/answer", "least to most", "user", "system", "answers/s", "core used"]
    head += ["p50 µs", "p99 µs", "p99.9 µs"] if steady else []
    measured = [peer for peer in results.peers if results.of(workload.name, peer.name)]
    measured.sort(key=lambda peer: _cost(results, workload.name, peer.name))
    return [head, *(_work_row(results, workload.name, peer, steady=steady) for peer in measured)]


def _cost(results: Results, workload: str, peer: str) -> float:
    figure = results.figure(workload, peer, "cpu")
    return figure.median if figure else float("inf")


def _work_row(results: Results, workload: str, peer: Described, *, steady: bool) -> Row:
    def median(metric: str, form: str) -> str:
        figure = results.figure(workload, peer.name, metric)
        return format(figure.median, form) if figure else NONE

    title = work_title(workload, peer)
    cpu = results.figure(workload, peer.name, "cpu")
    if cpu is None:
        return [title, INVALID, *[NONE] * (8 if steady else 5)]
    row = [title, f"{cpu.median:.1f}", _spread(cpu, ".1f")]
    row += [median("user", ".1f"), median("system", ".1f"), median("perSecond", ",.0f"), median("coreShare", ".0%")]
    return row + ([median(name, ",.0f") for name in ("p50", "p99", "p999")] if steady else [])


def work_title(workload: str, peer: Described) -> str:
    """A server's title where it stands among others doing the same work."""
    if peer.upstream != "tcp" and workload in ASKING:
        return f"{peer.full_title}, asks over {peer.upstream.upper()}"
    return peer.full_title


def memory_rows(results: Results) -> list[Row]:
    """Memory of every server, and how long its start takes."""
    rows = [["server", "MiB, empty", "MiB, 10,000 names", "MiB, 100,000 names", "start to first answer, ms"]]
    wanted = (("cached", "empty"), ("cached", "memory"), ("memory", "memory"))
    for peer in results.peers:
        found = [results.figure(workload, peer.name, metric) for workload, metric in wanted]
        first = results.figure("cached", peer.name, "firstAnswer")
        if any(found):
            cells = [f"{figure.median:.1f}" if figure else NONE for figure in found]
            rows.append([peer.full_title, *cells, f"{first.median * 1000:.0f}" if first else NONE])
    return rows


def memory_sentence(results: Results) -> str:
    """What of that a reader wants to know first; empty where it was not measured."""
    wanted = (("empty", "ours"), ("memory", "ours"), ("memory", "nodelocal"), ("firstAnswer", "ours"))
    figures = [results.figure("cached", peer, metric) for metric, peer in wanted]
    if not all(figures):
        return ""
    empty, full, theirs, first = (figure.median for figure in figures if figure)
    return (
        f"Supervisor and worker together take {empty:.1f} MiB of memory (PSS) at the start and {full:.1f} MiB with\n"
        f"10,000 names; {results.peer_title('nodelocal')} then takes {theirs:.1f} MiB. The first answer comes\n"
        f"{first * 1000:.0f} ms after the start of the process."
    )


def goal_rows(results: Results) -> list[Row]:
    """Every goal of what was measured, with what was found."""
    rows = [["our figure / another's", "goal", "median", "least to most", "verdict"]]
    for goal in GOALS:
        if not all(results.of(*part) for part in goal.parts):
            continue
        ratio = goal.ratio(results)
        found = [f"{ratio.median:.2f}", _spread(ratio, ".2f")] if ratio else [NONE, NONE]
        rows.append([goal.title(results), f"<= {goal.limit:.2f}", *found, verdict(results, goal)])
    return rows


def verdict(results: Results, goal: Goal | Growth) -> str:
    """Whether a goal is met; where that cannot be said, why."""
    if ratio := goal.ratio(results):
        return "met" if ratio.median <= goal.limit else "MISSED"
    for work, peer in goal.parts:
        if results.figure(work, peer, "cpu") is None:
            return f"{INVALID}: {results.peer_title(peer)}: {results.problems(work, peer)[0]}"
    return f"{INVALID}: no round in which all runs are valid"


def curve_rows(results: Results) -> list[Row]:
    """What does not belong to the comparison: how cost depends on numbers of names and zones."""
    rows = [["server and work", "CPU µs/answer", "least to most"]]
    for workload in results.workloads:
        if workload.note != "curve":
            continue
        for peer in results.peers:
            if results.of(workload.name, peer.name):
                cpu = results.figure(workload.name, peer.name, "cpu")
                cells = [f"{cpu.median:.1f}", _spread(cpu, ".1f")] if cpu else [INVALID, NONE]
                rows.append([f"{peer.title}: {workload.title}", *cells])
    return rows


def problem_lines(results: Results) -> list[str]:
    """What was wrong with invalid runs, one line for each server and kind of work."""
    lines = []
    for workload in results.workloads:
        for peer in results.peers:
            if problems := results.problems(workload.name, peer.name):
                count = len(results.of(workload.name, peer.name))
                lines.append(f"{workload.title}, {peer.title}: {len(problems)} of {count} runs invalid: {problems[0]}")
    return lines


def machine_line(results: Results) -> str:
    """Where and when, and whether the machine was busy with other things."""
    machine = results.machine
    state = "quiet"
    if results.busy_share > BUSY_RUNS:
        state = f"BUSY: in {results.busy_share:.0%} of the runs others used more than {BUSY_SHARE:.0%} of the cores"
    return (
        f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}, "
        f"nodelocaldns with {machine['python']}, {machine['minutes']:.0f} minutes; machine {state}"
    )


def chart_line(results: Results) -> str:
    """The short form, for the chart."""
    machine = results.machine
    state = "busy" if results.busy_share > BUSY_RUNS else "quiet"
    return f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, a {state} machine"


def whole(results: Results, layout: Layout, heading: Callable[[str], str]) -> str:
    """The complete report."""
    parts = [machine_line(results)]
    for workload in results.workloads:
        if workload.note == "" and results.runs:
            parts += [heading(workload.title), layout(work_rows(results, workload))]
    for title, rows in (
        ("memory and start", memory_rows(results)),
        ("how cost grows", curve_rows(results)),
        ("goals", goal_rows(results)),
    ):
        if len(rows) > 1:
            parts += [heading(title), layout(rows)]
    if problems := problem_lines(results):
        parts += [heading("invalid runs"), "\n".join(f"* {line}" for line in problems)]
    notes = [f"* {peer.full_title}: {peer.note}." for peer in results.peers if peer.note]
    return "\n\n".join(parts + ([heading("notes"), "\n".join(notes)] if notes else [])) + "\n"


def _spread(figure: Figure, form: str) -> str:
    return f"{figure.least:{form}} to {figure.most:{form}}"
