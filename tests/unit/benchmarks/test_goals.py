import pytest

from benchmarks import curves, names, plan
from benchmarks.chart import svg
from benchmarks.goals import COMPARED, FEW, GOALS, GROWN, MANY, SOME, Growth
from benchmarks.measure import Run
from benchmarks.results import Described, Results
from benchmarks.table import goal_rows, verdict

PEERS = [Described("ours", "nodelocaldns"), Described("unbound", "Unbound"), Described("nodelocal", "NodeLocal")]
MACHINE = {"date": "2026-01-01", "processor": "a processor", "cores": 2}


def results(*runs: Run) -> Results:
    works = [Described(name, f"the work {name}", note="curve") for name in dict.fromkeys(run.workload for run in runs)]
    return Results(MACHINE, PEERS, works, list(runs))


def costs(workload: str, *cpu: float, peer: str = "ours") -> list[Run]:
    return [Run(peer, workload, number, user=each) for number, each in enumerate(cpu)]


def test_the_full_form_measures_what_every_goal_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for maker in ("services", "unique"):  # millions of names, and it is about none of them
        monkeypatch.setattr(names, maker, lambda count: [names.Asked("web.shop.svc.cluster.local")])
    monkeypatch.setattr(names, "mix", lambda count, applications: [])
    works = plan.made(plan.FULL)
    steps = [*plan.steps(plan.FULL, works), *curves.steps()]
    measured = {(work.name, step.peer.name) for step in steps for work in step.works}
    assert {part for goal in GOALS for part in goal.parts} <= measured


def test_every_goal_of_the_comparison_and_of_the_curves_is_there() -> None:
    assert [(goal.workload, goal.against, goal.limit) for goal in COMPARED] == [
        ("cached", "unbound", 0.95),
        ("cached", "nodelocal", 0.22),
        ("cached", "floor", 1.35),
        ("realistic", "unbound", 1.0),
        ("misses", "nodelocal", 0.55),
        ("misses", "unbound", 1.1),
        ("tcp", "unbound", 1.0),
        ("steady", "unbound", 1.2),
        ("cached", "nodelocal", 0.6),
    ]
    assert {goal.workload for goal in GROWN} >= {SOME, MANY, curves.TURN, "zones-10", "zones-1000", "zones-misses-1000"}
    assert {goal.limit for goal in GROWN} == {1.25}


def test_growth_compares_two_kinds_of_work_in_the_same_rounds() -> None:
    # The machine was twice as slow in the second round: the medians' ratio would be another.
    found = results(*costs(FEW, 10.0, 20.0), *costs(SOME, 12.0, 24.0))
    ratio = Growth(SOME, FEW).ratio(found)
    assert ratio is not None
    assert (ratio.least, ratio.most) == (1.2, 1.2)
    assert verdict(found, Growth(SOME, FEW)) == "met"


def test_an_answer_that_costs_more_with_more_names_misses_the_goal() -> None:
    assert verdict(results(*costs(FEW, 10.0), *costs(MANY, 12.6)), Growth(MANY, FEW)) == "MISSED"


def test_growth_that_another_server_has_as_well_is_the_machines() -> None:
    goal = Growth(curves.TURN, FEW, beside="unbound")
    runs = [*costs(FEW, 10.0), *costs(curves.TURN, 30.0), *costs(FEW, 8.0, peer="unbound")]
    assert verdict(results(*runs, *costs(curves.TURN, 20.0, peer="unbound")), goal) == "met"
    assert verdict(results(*runs, *costs(curves.TURN, 8.0, peer="unbound")), goal) == "MISSED"


def test_a_goal_without_valid_figures_says_whose_runs_were_invalid_and_why() -> None:
    lost = Run("ours", SOME, 0, ["7 of 9 queries lost"])
    rows = goal_rows(results(*costs(FEW, 10.0), lost))
    assert rows[1][-1] == "INVALID: nodelocaldns: 7 of 9 queries lost"
    assert "the work names-10000" in rows[1][0]


def test_goals_of_what_was_not_measured_are_left_out() -> None:
    assert len(goal_rows(results(*costs("cached", 1.0), *costs("cached", 2.0, peer="unbound")))) == 2


def test_the_chart_draws_a_curve_through_the_places_that_were_measured() -> None:
    drawn = svg(results(*costs(FEW, 8.25), *costs(MANY, 9.5), *costs(FEW, 7.75, peer="unbound")))
    assert drawn.count("<polyline") == 2
    assert ">1,000,000</text>" in drawn
    assert ">9.5</text>" in drawn


def test_the_chart_has_no_curve_where_none_was_measured() -> None:
    assert "<polyline" not in svg(results(*costs("cached", 1.0)))
