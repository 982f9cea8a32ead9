"""What several workers say with one voice."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from resolver.ops.requests import HttpProblem, Request, Response
from resolver.ops.sums import Answered, Sums, add_up
from resolver.ops.together import together


class Others:
    """Siblings with set answers."""

    index = 1
    sums = ""

    def __init__(self, *answers: Answered) -> None:
        self.answers = answers
        self.asked = 0

    async def ask(self, request: Request) -> Sequence[Answered]:
        self.asked += 1
        return self.answers

    def keep(self, sums: str) -> None:
        self.sums = sums


def said(path: str, own: dict[str, object] | str, *others: Answered, status: int = 200) -> Response:
    async def handler(_: Request) -> Response:
        return Response(status, own if isinstance(own, str) else json.dumps(own))

    routes = together({("GET", path): handler}, Others(*others))
    return asyncio.run(asyncio.wait_for(routes["GET", path](Request("GET", path, {}, "")), 60))


def state(*reasons: str) -> dict[str, object]:
    return {"status": "failing" if reasons else "ok", "reasons": list(reasons)}


def test_counters_are_added_up_and_what_is_one_truth_is_not() -> None:
    one = (
        '# HELP a_total A.\n# TYPE a_total counter\na_total{x="1"} 2\n'
        "# TYPE nodelocaldns_build_info gauge\nnodelocaldns_build_info 1\n"
        '# TYPE nodelocaldns_upstream_healthy gauge\nnodelocaldns_upstream_healthy{to="s"} 1\n'
    )
    other = one.replace('x="1"} 2', 'x="2"} 3').replace('to="s"} 1', 'to="s"} 0')
    lines = add_up([one, one, other]).splitlines()
    assert lines == [
        "# HELP a_total A.", "# TYPE a_total counter", 'a_total{x="1"} 4.0', 'a_total{x="2"} 3.0',
        "# TYPE nodelocaldns_build_info gauge", "nodelocaldns_build_info 1.0",
        "# TYPE nodelocaldns_upstream_healthy gauge", 'nodelocaldns_upstream_healthy{to="s"} 0.0',
    ]  # fmt: skip


def test_metrics_are_those_of_all_who_answer() -> None:
    text = "# TYPE a counter\na 1\n"
    response = said("/metrics", text, Answered(0, 200, text), Answered(2, 0, "has died"))
    assert response.body == "# TYPE a counter\na 2.0\n"


TEXT = (
    '# TYPE a_total counter\na_total{{x="1"}} {counted}\n'
    "# TYPE b gauge\nb {now}\n"
    "# TYPE nodelocaldns_workers_replaced_total counter\nnodelocaldns_workers_replaced_total {replaced}\n"
)


def page(counted: float, now: float, replaced: float = 0) -> str:
    return TEXT.format(counted=counted, now=now, replaced=replaced)


def test_no_counter_falls_when_a_worker_dies_is_being_started_and_begins_anew() -> None:
    sums = Sums()
    first = Answered(0, 200, page(5.0, 1.0), 10)
    assert sums.told([first, Answered(1, 200, page(7.0, 2.0), 11)]) == page(12.0, 3.0, 0.0)
    assert sums.told([first, Answered(1, 0, "is being started")]) == page(12.0, 1.0, 0.0)
    assert sums.told([first, Answered(1, 200, page(1.0, 2.0), 12)]) == page(13.0, 3.0, 0.0)
    assert sums.told([first, Answered(1, 200, page(2.0, 2.0), 13)]) == page(15.0, 3.0, 0.0)


def test_who_comes_into_the_place_of_the_one_that_adds_up_goes_on_where_that_was() -> None:
    before = Sums()
    before.told([Answered(0, 200, page(5.0, 1.0, 2.0), 10), Answered(1, 200, page(7.0, 2.0), 11)])
    after = Sums(before.kept())
    told = after.told([Answered(0, 200, page(1.0, 1.0, 3.0), 20), Answered(1, 200, page(8.0, 2.0), 11)])
    assert told == page(14.0, 3.0, 3.0), "what the supervisor counts is one truth for all"


@pytest.mark.parametrize("damaged", ["", "nothing", "{}", "[1, 2]", '[{}, {"0": 1}]', "[[], []]"])
def test_what_was_kept_and_cannot_be_read_is_forgotten(damaged: str) -> None:
    assert Sums(damaged).told([Answered(0, 200, page(5.0, 1.0), 10)]) == page(5.0, 1.0, 0.0)


def test_health_holds_where_it_holds_for_each() -> None:
    good = said("/health", state(), Answered(0, 200, json.dumps(state())))
    assert (good.status, json.loads(good.body)["status"]) == (200, "ok")
    for other in (Answered(0, 503, json.dumps(state("stuck"))), Answered(0, 0, "stuck")):
        bad = said("/health", state(), other)
        assert (bad.status, json.loads(bad.body)["reasons"]) == (503, ["worker 0: stuck"])


def test_what_is_remembered_is_added_up_and_joined() -> None:
    one = {"name": "a.", "entries": ["x"], "leftOut": 1}
    other = {"name": "a.", "entries": ["y"], "leftOut": 2}
    response = said("/cache", one, Answered(0, 200, json.dumps(other)), Answered(2, 0, "no answer"))
    assert json.loads(response.body) == {
        "name": "a.", "entries": ["y", "x"], "leftOut": 3, "workers": 3, "silentWorkers": [2],
    }  # fmt: skip


def test_what_one_does_not_remember_another_may() -> None:
    nothing: dict[str, object] = {"name": "a.", "entries": []}
    found = {"name": "a.", "entries": ["y"]}
    assert said("/cache", nothing, Answered(0, 200, json.dumps(found)), status=404).status == 200
    assert said("/cache", nothing, Answered(0, 404, json.dumps(nothing)), status=404).status == 404


def test_a_request_that_cannot_be_served_is_asked_of_nobody_else() -> None:
    async def refuse(_: Request) -> Response:
        raise HttpProblem(400, "no")

    others = Others()
    routes = together({("GET", "/cache"): refuse}, others)
    with pytest.raises(HttpProblem):
        asyncio.run(asyncio.wait_for(routes["GET", "/cache"](Request("GET", "/cache", {}, "")), 60))
    assert others.asked == 0
