"""The dashboard is one that Grafana can show: panels that say what they are, queries that are PromQL."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.lab.helm import CHART, one, render
from tests.lab.prometheus import check_rules
from tests.lab.promql import TARGET, selectors, without_variables

TEXT = (CHART / "files" / "dashboard.json").read_text(encoding="utf-8")
BOARD: dict[str, Any] = json.loads(TEXT)
PANELS: list[dict[str, Any]] = BOARD["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
QUERIES = [(panel["title"], target) for panel in SHOWN for target in panel["targets"]]
VARIABLES = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
# What Grafana writes itself; values without a unit have "short".
UNITS = {"short", "reqps", "ops", "percentunit", "s", "bytes"}


def squares(panel: dict[str, Any]) -> set[tuple[int, int]]:
    place = panel["gridPos"]
    return set(
        itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
    )


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        assert not squares(panel) & taken, panel["title"]
        assert max(x for x, _ in squares(panel)) < 24
        taken |= squares(panel)


def test_titles_are_told_apart() -> None:
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)


@pytest.mark.parametrize("panel", SHOWN, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["type"] in {"stat", "timeseries"}
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references) > 0
    for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
        assert source == {"type": "prometheus", "uid": "${datasource}"}


def test_a_row_stands_above_its_panels() -> None:
    assert PANELS[0]["type"] == "row"
    tops = [panel["gridPos"]["y"] for panel in PANELS]
    assert tops == sorted(tops)


@pytest.mark.parametrize(("title", "target"), QUERIES, ids=[f"{title} {target['refId']}" for title, target in QUERIES])
def test_a_query_selects_by_the_variables_and_shows_labels_that_it_keeps(title: str, target: dict[str, Any]) -> None:
    expression = target["expr"]
    assert set(re.findall(r"\$(\w+)", expression)) <= {*VARIABLES, "__rate_interval"}
    for selected in selectors(without_variables(expression)):
        assert "cluster" in selected.labels
        if not selected.metric.startswith(("nodelocaldns_webhook_", "apiserver_")):
            assert {"job", "node"} <= selected.labels
    kept = {label for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(", ")} | TARGET
    assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept


@pytest.mark.needs("promtool")
def test_promtool_reads_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"dashboard:query{number}:now", "expr": without_variables(target["expr"])}
        for number, (_, target) in enumerate(QUERIES)
    ]
    assert check_rules({"groups": [{"name": "dashboard", "rules": rules}]}, tmp_path) == ""


def test_variables_are_found_in_a_metric_that_is_always_there() -> None:
    assert list(VARIABLES) == ["datasource", "cluster", "job", "node"]
    for name in ("cluster", "job", "node"):
        assert VARIABLES[name]["definition"].startswith("label_values(nodelocaldns_build_info")
        assert VARIABLES[name]["definition"].endswith(f", {name})")
        assert VARIABLES[name]["allValue"] == ".*"  # also where nobody has this label


def test_the_chart_hands_it_to_grafanas_sidecar_as_it_is() -> None:
    settings = {"enabled": True, "namespace": "grafana", "annotations": {"grafana_folder": "DNS"}}
    found = one(render({"observability": {"dashboard": settings}}), "ConfigMap", "nodelocaldns-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert (found["metadata"]["namespace"], found["metadata"]["annotations"]) == ("grafana", {"grafana_folder": "DNS"})
    assert json.loads(found["data"]["nodelocaldns.json"]) == BOARD
