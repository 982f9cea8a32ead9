"""Every alert of the chart fires when it should, says what it should, and stays quiet when it should."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.prometheus import check_rules, play
from tests.unit.chart.rules import alerts, only, rules

ROOT = Path(__file__).parents[3]
CASES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "tests/cases/alerts.yaml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
VALUES = yaml.safe_load((ROOT / "charts/nodelocaldns/values.yaml").read_text(encoding="utf-8"))["observability"][
    "rules"
]
FILE = (ROOT / "charts/nodelocaldns/files/alerts.yaml").read_text(encoding="utf-8")

OWN = {
    "RESOLVER": {
        "job": "nodelocaldns-resolver",
        "instance": "10.0.0.1:9253",
        "node": "node-1",
        "namespace": "kube-system",
    },
    "WEBHOOK": {
        "job": "nodelocaldns-webhook",
        "instance": "10.244.0.8:9254",
        "node": "node-1",
        "namespace": "dns",
        "pod": "a",
    },
    "DAEMONSET": {"namespace": "kube-system", "daemonset": "nodelocaldns-resolver"},
}


def series_of(story: dict[str, Any]) -> list[dict[str, str]]:
    made = []
    for name, values in story["series"].items():
        for word, labels in OWN.items():
            name = name.replace(word, ", ".join(f'{key}="{value}"' for key, value in labels.items()))  # noqa: PLW2901
        made.append({"series": name, "values": values})
    return made


def story(alert: str, told: dict[str, Any], expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": f"{alert}: {told.get('name', 'fires' if expected else 'quiet')}",
        "interval": "1m",
        "input_series": series_of(told),
        "alert_rule_test": [{"eval_time": told["at"], "alertname": alert, "exp_alerts": expected}],
    }


def expectation(alert: str, told: dict[str, Any], of: str | None) -> dict[str, Any]:
    return {
        "exp_labels": {**(OWN[of.upper()] if of else {}), **told["labels"]},
        "exp_annotations": {
            "summary": told["summary"],
            "description": told["description"],
            "runbook_url": f"{VALUES['runbookURL']}#{alert.lower()}",
        },
    }


def test_every_alert_has_cases_and_a_section_and_there_are_no_others() -> None:
    names = list(alerts(rules()))
    assert sorted(CASES) == sorted(names)
    assert re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) == names
    assert all(case["fires"] and case["quiet"] for case in CASES.values())


@pytest.mark.needs("promtool")
def test_each_alert_fires_when_it_should_and_then_only(tmp_path: Path) -> None:
    plays = []
    for alert, case in CASES.items():
        fires = [case["fires"], *case.get("also_fires", [])]
        stories = [story(alert, told, [expectation(alert, told, case.get("of"))]) for told in fires]
        plays.append((only(rules(), alert), [*stories, *(story(alert, told, []) for told in case["quiet"])]))
    assert play(tmp_path, *plays) == ""


@pytest.mark.needs("promtool")
def test_a_story_that_ends_otherwise_is_found_out(tmp_path: Path) -> None:
    down, case = "NodeLocalDNSDown", CASES["NodeLocalDNSDown"]
    assert "exp:[" in play(tmp_path, (only(rules(), down), [story(down, case["fires"], [])]))
    wrong = expectation(down, {**case["fires"], "summary": "something else"}, case["of"])
    assert "something else" in play(tmp_path, (only(rules(), down), [story(down, case["fires"], [wrong])]))


@pytest.mark.needs("promtool")
def test_promtool_has_nothing_against_the_rules(tmp_path: Path) -> None:
    assert check_rules(rules(), tmp_path) == ""
    broken = {"groups": [{"name": "x", "rules": [{"alert": "A", "expr": "rate(up"}]}]}
    assert "parse error" in check_rules(broken, tmp_path)


@pytest.mark.needs("promtool")
def test_thresholds_decide(tmp_path: Path) -> None:
    alert = "NodeLocalDNSServfailRatioHigh"
    loose = rules(settings={"thresholds": {"servfailRatio": 0.2}})
    assert play(tmp_path, (only(loose, alert), [story(alert, CASES[alert]["fires"], [])])) == ""


def test_every_threshold_is_used_and_named_on_the_page() -> None:
    tokens = set(re.findall(r"\$\{(\w+)\}", FILE))
    assert tokens == {*VALUES["thresholds"], "resolver", "webhook", "daemonset"}
    assert {name for name in VALUES["thresholds"] if f"`{name}`" not in PAGE} == set()


@pytest.mark.parametrize("alert", sorted(CASES))
def test_a_section_says_severity_meaning_and_what_to_do(alert: str) -> None:
    section = PAGE.partition(f"### {alert}\n\n")[2].partition("\n###")[0]
    assert section.startswith(alerts(rules())[alert]["labels"]["severity"] + ". ")
    for part in ("**Means:**", "**Look:**", "**Do:**"):
        assert part in section
    for token in set(re.findall(r"\$\{(\w+)\}", text_of(alert))) & set(VALUES["thresholds"]):
        assert f"`{token}`" in section


def text_of(alert: str) -> str:
    return FILE.partition(f"- alert: {alert}\n")[2].partition("- alert:")[0].partition("\n  - name:")[0]


def test_alerts_can_be_left_out_and_labelled() -> None:
    few = rules(settings={"disabled": ["NodeLocalDNSHitRatioLow"], "alertLabels": {"team": "dns", "severity": "page"}})
    assert set(alerts(rules())) - set(alerts(few)) == {"NodeLocalDNSHitRatioLow"}
    assert {each["labels"]["team"] for each in alerts(few).values()} == {"dns"}
    assert {each["labels"]["severity"] for each in alerts(few).values()} == {"page"}


def test_series_are_selected_by_the_release_or_as_told() -> None:
    assert 'job="other-nodelocaldns-resolver"' in str(rules(name="other"))
    told = str(rules(settings={"resolverSelector": 'job="dns",team="x"', "webhookSelector": 'job="hook"'}))
    assert 'up{job="dns",team="x"} == 0' in told
    assert 'up{job="hook"} == 1' in told
    assert 'job="nodelocaldns' not in told


def test_without_a_webhook_there_are_no_alerts_about_it() -> None:
    without = rules(injection={"mode": "none"})
    assert not [name for name in alerts(without) if name.startswith("NodeLocalDNSWebhook")]
    assert "NodeLocalDNSDown" in alerts(without)
