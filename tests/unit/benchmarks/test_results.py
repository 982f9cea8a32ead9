from dataclasses import replace

from benchmarks.chart import svg
from benchmarks.goals import GATE, TOLERANCE, gate, recorded_ratio
from benchmarks.measure import Run
from benchmarks.results import Described, Results
from benchmarks.table import INVALID, goal_rows, markdown, plain, whole, work_rows

PEERS = [
    Described("ours", "nodelocaldns"),
    Described("nodelocal", "NodeLocal DNSCache's data path", "CoreDNS 1.13.2", "a note"),
    Described("unbound", "Unbound", "1.17.1"),
]
WORK = Described("cached", "cached, UDP, 10,000 names")
MACHINE = {
    "date": "2026-01-01 00:00 UTC",
    "processor": "a processor",
    "cores": 2,
    "kernel": "6.1",
    "python": "3.11",
    "minutes": 1.0,
}


def run(peer: str, number: int, cpu: float, problems: tuple[str, ...] = ()) -> Run:
    return Run(peer, "cached", number, list(problems), answers=1000, user=cpu / 4, system=cpu * 3 / 4, per_second=9.0)


def results(*runs: Run) -> Results:
    return Results(MACHINE, PEERS, [WORK], list(runs))


def costs(ours: float, nodelocal: float) -> Results:
    return results(*(run(peer, n, cpu) for n in range(3) for peer, cpu in (("ours", ours), ("nodelocal", nodelocal))))


def test_a_figure_is_the_median_with_its_spread() -> None:
    figure = results(*(run("ours", n, cpu) for n, cpu in enumerate((8.0, 30.0, 9.0)))).figure("cached", "ours", "cpu")
    assert figure is not None
    assert (figure.median, figure.least, figure.most, figure.runs) == (9.0, 8.0, 30.0, 3)


def test_an_invalid_run_is_no_part_of_any_figure() -> None:
    found = results(run("ours", 0, 8.0), run("ours", 1, 9.0), run("ours", 2, 1.0, ("1 of 9 queries lost",)))
    figure = found.figure("cached", "ours", "cpu")
    assert figure is not None
    assert figure.least == 8.0


def test_where_most_runs_are_invalid_there_is_no_figure_anywhere() -> None:
    lost = ("7 of 1000 queries lost",)
    found = results(run("ours", 0, 123.25), run("ours", 1, 123.25, lost), run("ours", 2, 123.25, lost))
    assert found.figure("cached", "ours", "cpu") is None
    assert work_rows(found, WORK)[1][1] == INVALID
    for text in (whole(found, plain, str), whole(found, markdown, str), svg(found)):
        assert "123.2" not in text
    assert "2 of 3 runs invalid: 7 of 1000 queries lost" in whole(found, plain, str)


def test_the_numbers_of_an_invalid_run_are_not_written_to_json() -> None:
    document = results(run("ours", 0, 8.0, ("lost",))).to_json()
    assert document["runs"] == [{"peer": "ours", "workload": "cached", "round": 0, "problems": ["lost"]}]


def test_results_survive_json() -> None:
    found = results(run("ours", 0, 8.0), run("nodelocal", 0, 40.0))
    assert Results.from_json(found.to_json()) == found


def test_a_ratio_compares_runs_of_the_same_round() -> None:
    # The machine was twice as slow in the second round: the medians' ratio would not be 0.5.
    found = results(*(run(peer, n, cpu * (n + 1)) for n in range(2) for peer, cpu in (("ours", 5), ("unbound", 10))))
    ratio = found.ratio("cached", "cpu", "ours", "unbound")
    assert ratio is not None
    assert (ratio.least, ratio.most) == (0.5, 0.5)


def test_a_round_in_which_one_of_the_two_is_invalid_gives_no_ratio() -> None:
    found = results(
        run("ours", 0, 5.0), run("unbound", 0, 10.0), run("ours", 1, 99.0), run("unbound", 1, 1.0, ("lost",))
    )
    ratio = found.ratio("cached", "cpu", "ours", "unbound")
    assert ratio is not None
    assert (ratio.median, ratio.runs) == (0.5, 1)


def test_the_goals_say_met_and_missed() -> None:
    rows = {row[0].rpartition("/ ")[2]: row for row in goal_rows(costs(10.0, 100.0)) if "CPU" in row[0]}
    assert rows["NodeLocal DNSCache's data path's"][-1] == "met"
    rows = {row[0].rpartition("/ ")[2]: row for row in goal_rows(costs(30.0, 100.0)) if "CPU" in row[0]}
    assert rows["NodeLocal DNSCache's data path's"][-1] == "MISSED"


def test_the_gate_is_open_at_the_recorded_ratio() -> None:
    assert gate(costs(100 * recorded_ratio(), 100.0)) == []


def test_the_gate_shuts_when_a_cached_answer_costs_more_than_recorded_and_tolerated() -> None:
    assert len(gate(costs(100 * recorded_ratio() * TOLERANCE * 1.01, 100.0))) == 1


def test_the_gate_shuts_when_a_cached_answer_costs_more_than_nodelocals() -> None:
    assert len(gate(costs(101.0 * GATE.limit, 100.0))) == 2


def test_the_gate_shuts_when_there_is_nothing_valid_to_compare() -> None:
    found = costs(1.0, 100.0)
    broken = [replace(each, problems=["lost"]) if each.peer == "nodelocal" else each for each in found.runs]
    assert "lost" in gate(results(*broken))[0]
