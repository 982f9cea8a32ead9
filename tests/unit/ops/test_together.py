"""What several workers say with one voice."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from resolver.ops.requests import HttpProblem, Request, Response
from resolver.ops.together import Answered, add_up, together


class Others:
    """Siblings with set answers."""

    index = 1

    def __init__(self, *answers: Answered) -> None:
        self.answers = answers
        self.asked = 0

    async def ask(self, request: Request) -> Sequence[Answered]:
        self.asked += 1
        return self.answers


def said(path: str, own: dict[str, object] | str, *others: Answered, status: int = 200) -> Response:
    async def handler(_: Request) -> Response:
        return Response(status, own if isinstance(own, str) else json.dumps(own))

    routes = together({("GET", path): handler}, Others(*others))
    return asyncio.run(asyncio.wait_for(routes["GET", path](Request("GET", path, {}, "")), 10))


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
        asyncio.run(asyncio.wait_for(routes["GET", "/cache"](Request("GET", "/cache", {}, "")), 10))
    assert others.asked == 0
