"""The figures of /status, of one process and of several, and the files of the page."""

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from resolver.events import event
from resolver.nodestate import NodeState
from resolver.ops import figures
from resolver.ops.health import Readiness
from resolver.ops.pulse import Pulse
from resolver.ops.recent import Recent, latest
from resolver.ops.requests import HttpProblem, Request, Response
from resolver.ops.sources import Sources
from resolver.ops.status import StatusPage, page_routes
from tests.unit.ops.stage import Stage

ROOT = Path(__file__).parents[3]
CHANGE = {"at": 5.0, "level": "info", "event": "it happened", "fields": {}}


class Reloaded:
    successful = True
    succeeded_at = 0.0
    results: dict[str, int] = {}  # noqa: RUF012 - as in the protocol


def asked_stage() -> Stage:
    """Two misses, a hit, a failure and a rejected query."""
    stage = Stage()
    stage.known = {"web.cluster.local.": ["web.cluster.local. 300 A 10.0.0.1"], "gone.test.": []}
    for name in ("web.cluster.local", "gone.test", "web.cluster.local", "broken.test"):
        stage.ask(name)
    stage.ask("version.bind", 16, qclass=3)
    return stage


def page(stage: Stage) -> StatusPage:
    readiness = Readiness(stage.engine, stage.clock)
    readiness.starting = False
    sources = Sources(
        engine=stage.engine, servers=stage.servers, pulse=Pulse(stage.engine), reload=Reloaded(), port=lambda: 53,
        node=lambda: NodeState("lo", missing=("10.0.0.9",), rules=True), changes=lambda: [CHANGE],
    )  # fmt: skip
    return StatusPage(sources, readiness)


def shown(stage: Stage, **query: str) -> dict[str, Any]:
    response = asyncio.run(page(stage).show(Request("GET", "/status", query, "127.0.0.1")))
    assert response.status == 200
    return dict(json.loads(response.body))


def test_replies_are_counted_by_where_they_came_from() -> None:
    status = shown(asked_stage())
    assert status["replies"] == {"hit": 1, "stale": 0, "upstream": 2, "failure": 1, "rejected": 1}
    assert status["rcodes"] == {"NOERROR": 2, "NXDOMAIN": 1, "SERVFAIL": 1, "REFUSED": 1}
    assert sum(status["milliseconds"]["waited"].values()) == 3
    assert status["cache"]["entries"] == 2
    assert status["top"] is False
    assert (status["ready"], status["reasons"]) == (True, [])
    assert status["network"]["missingAddresses"] == ["10.0.0.9"]


def test_servers_are_told_with_their_zones_and_whether_they_answer() -> None:
    stage = asked_stage()
    for server in stage.servers:
        for _ in range(3):
            server.health.failed(stage.now + 1)
    status = shown(stage)
    assert status["upstreams"]["192.0.2.1:53 tcp"]["zones"] == "."
    assert status["upstreams"]["10.96.0.10:53 tcp"]["zones"] == "cluster.local., in-addr.arpa."
    assert {each["up"] for each in status["upstreams"].values()} == {False}
    assert [each["failures"] for each in status["upstreams"].values()] == [3, 3, 3]
    assert status["ready"]  # from memory


def test_changes_are_told_to_who_asks_for_them() -> None:
    assert "changes" not in shown(Stage())
    assert shown(Stage(), changes="true")["changes"] == [CHANGE]
    for query in ({"changes": "no"}, {"name": "x"}):
        with pytest.raises(HttpProblem):
            shown(Stage(), **query)


def test_several_workers_are_told_as_one() -> None:
    one, other = shown(asked_stage(), changes="true"), shown(asked_stage(), changes="true")
    one["upSeconds"], other["upSeconds"] = 7, 3
    other["upstreams"]["192.0.2.1:53 tcp"].update(up=False, latencyMilliseconds=9.0)
    other["reasons"], other["ready"] = ["draining"], False
    other["changes"] = [{**CHANGE, "at": 6.0}, CHANGE]
    both = figures.together([one, other])
    assert both["replies"] == {"hit": 2, "stale": 0, "upstream": 4, "failure": 2, "rejected": 2}
    assert sum(both["milliseconds"]["waited"].values()) == 6
    assert (both["ready"], both["reasons"], both["workers"], both["upSeconds"]) == (False, ["draining"], 2, 7)
    server = both["upstreams"]["192.0.2.1:53 tcp"]
    assert (server["up"], server["latencyMilliseconds"]) == (False, 9.0)
    assert both["version"] == one["version"]
    assert both["network"]["missingAddresses"] == ["10.0.0.9"]
    assert [change["at"] for change in both["changes"]] == [6.0, 5.0]


def test_what_was_logged_last_is_kept_without_queries_and_without_end() -> None:
    recent = Recent("noted.queries", most=3)
    noted, queries = logging.getLogger("noted"), logging.getLogger("noted.queries")
    noted.setLevel(logging.DEBUG)
    noted.propagate = False
    handler = logging.Handler()
    handler.emit = recent.note  # type: ignore[method-assign]
    noted.addHandler(handler)
    event(noted, logging.DEBUG, "a detail")
    queries.info("a query")
    for number in range(4):
        event(noted, logging.WARNING, "upstream down", server="x" * 1000, number=number)
    noted.error("%s failed", "it")
    noted.error("%d failed", "it")  # a mistake in a call must not end what it reports
    changes = recent.changes()
    assert recent.total == 6
    assert [change["event"] for change in changes] == [
        "upstream down",
        "it failed",
        "a log line that cannot be written",
    ]
    assert changes[0]["fields"] == {"server": "x" * 200, "number": 3}
    assert changes[0]["level"] == "warning"


def test_the_latest_of_all_come_first() -> None:
    lists = [[{**CHANGE, "at": at} for at in times] for times in ((1.0, 4.0), (2.0, 3.0))]
    assert [change["at"] for change in latest(*lists, most=3)] == [4.0, 3.0, 2.0]


def served(path: str) -> Response:
    return asyncio.run(page_routes()["GET", path](Request("GET", path, {}, "")))  # type: ignore[arg-type]


def test_the_page_may_load_its_own_files_and_nothing_else() -> None:
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
        response = served(path)
        assert response.content_type.startswith(kind)
        policy = dict(response.headers)["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert b"://" not in response.body.replace(b"http://www.w3.org/2000/svg", b"")  # type: ignore[arg-type]


def test_nothing_is_loaded_for_a_page_that_nobody_looks_at() -> None:
    script = "import sys, resolver.service; print([name for name in sys.modules if name.endswith('ops.figures')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
