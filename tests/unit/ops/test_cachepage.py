import asyncio
import json
from typing import Any

import pytest

from resolver.message import codes
from resolver.ops.cachepage import CachePage
from resolver.ops.requests import HttpProblem, Request
from tests.unit.ops.stage import Stage


class Page:
    """The page of a stage where a few names have been asked for."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.stage.known = {
            "web.cluster.local.": ["web.cluster.local. 300 A 10.0.0.1", "web.cluster.local. 300 A 10.0.0.2"],
            "db.cluster.local.": ["db.cluster.local. 5 A 10.0.0.3"],
            "gone.test.": [],
        }
        for name in ("web.cluster.local", "db.cluster.local", "gone.test"):
            self.stage.ask(name)
        self.page = CachePage(self.stage.engine, self.stage.clock)

    def get(self, **query: str) -> tuple[int, Any]:
        response = asyncio.run(self.page.show(Request("GET", "/cache", query, "127.0.0.1")))
        return response.status, json.loads(response.body)

    def delete(self, **query: str) -> tuple[int, Any]:
        response = asyncio.run(self.page.forget(Request("DELETE", "/cache", query, "127.0.0.1")))
        return response.status, json.loads(response.body)


def test_a_remembered_answer_is_shown_with_its_age_its_origin_and_its_records() -> None:
    page = Page()
    page.stage.now += 10.5
    status, shown = page.get(name="WEB.cluster.local.", type="a")
    assert status == 200
    (entry,) = shown["entries"]
    assert entry.pop("bytes") > 0
    assert entry == {
        "name": "web.cluster.local.", "type": "A", "class": "IN", "dnssecOk": False, "checkingDisabled": False,
        "kind": "success", "rcode": "NOERROR", "state": "fresh", "ttl": 30, "ttlLeftSeconds": 19.5, "ageSeconds": 10.5,
        "staleForSeconds": 3619.5, "server": "10.96.0.10:53", "zone": "cluster.local.", "asks": 0,
        "records": {
            "answer": ["web.cluster.local. 20 IN A 10.0.0.1", "web.cluster.local. 20 IN A 10.0.0.2"],
            "authority": [],
            "additional": [],
        },
    }  # fmt: skip


def test_without_a_type_all_types_are_shown() -> None:
    page = Page()
    page.stage.known["web.cluster.local."] = []
    page.stage.ask("web.cluster.local", codes.AAAA)
    _, shown = page.get(name="web.cluster.local")
    assert [(entry["type"], entry["kind"]) for entry in shown["entries"]] == [("A", "success"), ("AAAA", "denial")]


@pytest.mark.parametrize(("seconds", "state"), [(29, "fresh"), (30, "stale"), (3629, "stale"), (3630, "expired")])
def test_fresh_stale_and_expired_are_told_apart(seconds: int, state: str) -> None:
    page = Page()
    page.stage.now += seconds
    _, shown = page.get(name="web.cluster.local")
    assert [entry["state"] for entry in shown["entries"]] == [state]


def test_a_name_with_more_than_a_page_holds_is_shown_in_part() -> None:
    page = Page()
    for qtype in range(1000, 1010):
        data = "00" * 200
        page.stage.known["many.test."] = [f"many.test. 60 TYPE{qtype} \\# 200 {data}" for _ in range(60)]
        page.stage.ask("many.test", qtype)
    _, shown = page.get(name="many.test")
    assert shown["entries"]
    assert shown["leftOut"] > 0
    assert len(shown["entries"]) + shown["leftOut"] == 10


def test_looking_does_not_count_as_asking() -> None:
    page = Page()
    for _ in range(3):
        page.get(name="web.cluster.local", type="A")
    assert page.get(name="web.cluster.local")[1]["entries"][0]["asks"] == 0


@pytest.mark.parametrize("query", [{"name": "nobody.test"}, {"name": "web.cluster.local", "type": "TXT"}])
def test_what_is_not_remembered_is_not_found(query: dict[str, str]) -> None:
    status, shown = Page().get(**query)
    assert (status, shown["entries"]) == (404, [])


def test_without_a_name_the_page_says_how_much_is_remembered() -> None:
    page = Page()
    page.stage.ask("broken.test")
    status, summary = page.get()
    assert status == 200
    assert summary["entries"] == 3
    assert summary["failures"] == 1
    assert 0 < summary["bytes"] < summary["maxBytes"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"name": "a..b"}, "not a domain name"),
        ({"name": "ü.test"}, "not a domain name"),
        ({"name": "a" * 64}, "not a domain name"),
        ({"name": "web", "type": "BOGUS"}, "'BOGUS' is no record type"),
        ({"type": "A"}, "a type needs a name"),
        ({"nmae": "web"}, "unknown: nmae; known here: name, type"),
    ],
)
def test_what_cannot_be_looked_up_is_told_why(query: dict[str, str], words: str) -> None:
    with pytest.raises(HttpProblem, match=words) as problem:
        Page().get(**query)
    assert problem.value.response.status == 400


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ({"name": "Web.Cluster.local"}, ["db.cluster.local", "gone.test"]),
        ({"suffix": "cluster.local"}, ["gone.test"]),
        ({"suffix": "."}, []),
        ({"all": "true"}, []),
        ({"name": "cluster.local"}, ["web.cluster.local", "db.cluster.local", "gone.test"]),
    ],
)
def test_a_name_a_suffix_or_everything_is_forgotten(query: dict[str, str], left: list[str]) -> None:
    page = Page()
    status, answer = page.delete(**query)
    assert (status, answer) == (200, {"forgotten": 3 - len(left)})
    names = ["web.cluster.local", "db.cluster.local", "gone.test"]
    assert [name for name in names if page.get(name=name)[0] == 200] == left


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "say what to forget"),
        ({"name": "web", "suffix": "web"}, "say what to forget"),
        ({"all": "yes"}, "say [?]all=true"),
        ({"suffix": "a..b"}, "not a domain name"),
        ({"type": "A", "name": "web"}, "unknown: type"),
    ],
)
def test_what_is_not_clear_is_not_forgotten(query: dict[str, str], words: str) -> None:
    page = Page()
    with pytest.raises(HttpProblem, match=words) as problem:
        page.delete(**query)
    assert problem.value.response.status == 400
    assert page.get()[1]["entries"] == 3
