"""/top tells what the survey knows, to those who may know; owners come from a file; the console makes tables of it."""

import asyncio
import json
from pathlib import Path

import pytest

from resolver.console.advising import advice_text, advices
from resolver.console.screen import screen
from resolver.ops.requests import HttpProblem, Request, Response
from resolver.ops.sums import Answered
from resolver.ops.surveying import MOST_OWNERS, Surveying, read_owners
from resolver.ops.together import together
from resolver.survey.survey import Owner, Survey
from resolver.upstream.routes import Routes
from tests.unit.builders import addresses, answer_packet
from tests.unit.ops.stage import Stage

OWNERS = {"10.1.0.7": {"namespace": "shop", "pod": "web-1", "workload": "Deployment/web"}}
DOMAIN = "cluster.local"


def surveyed() -> Surveying:
    """A pod of shop that asks for a name of the world, as its search list has it."""
    stage, survey = Stage(), Survey(0.0)
    stage.known["web.shop."] = ["web.shop. 60 A 10.0.0.1"]
    stage.ask("web.shop.")
    survey.owners = read_owners(json.dumps(OWNERS))
    steps = [
        "api.example.com.shop.svc.cluster.local.",
        "api.example.com.svc.cluster.local.",
        "api.example.com.cluster.local.",
    ]
    for step in steps:
        survey.saw("10.1.0.7", answer_packet(step, rcode="NXDOMAIN"), 100)
    survey.saw("10.1.0.7", answer_packet("api.example.com.", answers=addresses(1, "api.example.com.")), 100)
    survey.saw("10.1.0.9", answer_packet("x.example.com.", answers=addresses(1, "x.example.com.")), 1)
    routes = Routes(stage.engine.routes.all)
    return Surveying(survey, stage.servers, lambda: routes, lambda: 20.0)


def shown(surveying: Surveying, **query: str) -> dict[str, object]:
    request = Request("GET", "/top", query, "127.0.0.1")
    page: dict[str, object] = json.loads(asyncio.run(surveying.show(request)).body)
    return page


def test_the_page_has_the_busiest_of_each_kind() -> None:
    page = shown(surveyed())
    assert (page["queries"], page["samples"], page["seconds"]) == (401, 5, 20)
    assert [(row["namespace"], row["pod"], row["queries"]) for row in page["pods"]] == [  # type: ignore[attr-defined]
        ("shop", "web-1", 400), ("", "10.1.0.9", 1),
    ]  # fmt: skip
    assert {row["name"] for row in page["missing"]} == {  # type: ignore[attr-defined]
        f"api.example.com.{rest}cluster.local." for rest in ("shop.svc.", "svc.", "")
    }
    assert [each["to"] for each in page["upstreams"]] == ["10.96.0.10:53", "192.0.2.1:53", "192.0.2.2:53"]  # type: ignore[attr-defined]
    assert "asked" not in page


def test_only_what_is_known_can_be_asked() -> None:
    with pytest.raises(HttpProblem, match="asked"):
        shown(surveyed(), everything="true")


def test_the_screen_shows_it() -> None:
    page = shown(surveyed())
    text = screen(page, None, 10)
    assert text.startswith("401 queries in 20 s\n")
    assert "shop web-1" in text
    assert "api.example.com.shop.svc.cluster.local." in text
    assert "- 10.1.0.9" in text
    later = screen(page, page, 1)
    assert "10.1.0.9" not in later


@pytest.mark.parametrize(("columns", "width"), [(80, 80), (200, 100), (20, 60)])
def test_tables_fill_the_terminal_and_longer_names_are_cut(columns: int, width: int) -> None:
    page = dict(shown(surveyed()))
    page["names"] = [{"name": "n" * 120 + ".", "queries": 12_345_678, "rate": 23_456.7}]
    lines = [line for line in screen(page, None, 10, columns).splitlines()[1:] if line]
    assert {len(line) for line in lines} == {width}
    (cut,) = (line for line in lines if line.startswith("nnn"))
    assert cut == "n" * (width - 21) + "… 23456.7/s  12345678"


def test_workers_are_added_up() -> None:
    surveying = surveyed()

    class Sibling:
        index = 0
        sums = ""

        def keep(self, sums: str) -> None:
            self.sums = sums

        async def ask(self, request: Request) -> list[Answered]:
            return [Answered(1, 200, str((await surveying.show(request)).body))]

    handler = together(surveying.routes, Sibling())[("GET", "/top")]

    async def ask() -> Response:
        return await handler(Request("GET", "/top", {"asked": "true"}, ""))

    page = json.loads(asyncio.run(ask()).body)
    assert screen(page, None, 10).startswith("802 queries in 20 s\n")
    (first, *_) = advices(page, DOMAIN, 1)
    assert (first["workload"], first["savedPerSecond"]) == ("Deployment/web", 30.0)


def test_workloads_are_advised_and_addresses_without_owner_are_not() -> None:
    page = shown(surveyed(), asked="true")
    found = advices(page, DOMAIN, 100)
    assert [(each["workload"], each["verdict"]) for each in found] == [
        ("Deployment/web", "safe"), ("10.1.0.9", "not enough seen"),
    ]  # fmt: skip
    assert "15.0/s saved" in advice_text(found)
    assert "kubernetes.pods" in advice_text(found)
    assert advice_text([]) == "no questions were seen yet\n"


def test_who_opted_in_needs_no_advice() -> None:
    page = shown(surveyed(), asked="true")
    for row in page["asked"]:  # type: ignore[attr-defined]
        row["lean"] = True
    assert {each["verdict"] for each in advices(page, DOMAIN, 1)} == {"opted in"}


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"10.0.0.1": "web"}', json.dumps({str(n): {} for n in range(MOST_OWNERS + 1)})]
)
def test_a_file_that_says_no_owners_changes_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_owners(text)


def test_owners_are_followed_and_those_known_stay_while_the_file_is_bad(tmp_path: Path) -> None:
    file = tmp_path / "owners.json"
    file.write_text(json.dumps(OWNERS))
    survey = Survey(0.0)

    async def follow() -> None:
        surveying = Surveying(survey, (), lambda: Routes(()))
        surveying.start(str(file))
        assert survey.owners == {"10.1.0.7": Owner("web-1", "shop", "Deployment/web")}
        surveying.close()
        file.write_text("no")
        surveying.start(str(file))
        surveying.close()

    asyncio.run(follow())
    assert "10.1.0.7" in survey.owners
