"""The rules as the chart renders them, ready for Prometheus."""

from functools import cache
from typing import Any

import yaml

from tests.lab.helm import one, render

Rules = dict[str, Any]
"""A file of rules: {"groups": [...]}."""
Rule = dict[str, Any]


def rules(*, name: str = "nodelocaldns", settings: dict[str, Any] | None = None, **topics: Any) -> Rules:
    """The rules of a release of this name; `settings` are values of observability.rules, `topics` others."""
    return _rules(name, yaml.safe_dump({**topics, "observability": {"rules": {**(settings or {}), "enabled": True}}}))


@cache
def _rules(name: str, values: str) -> Rules:
    spec: Rules = one(render(yaml.safe_load(values), name=name), "PrometheusRule")["spec"]
    return spec


def alerts(rules: Rules) -> dict[str, Rule]:
    """The alerts by name, in their order."""
    return {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule}


def only(rules: Rules, alert: str) -> Rules:
    """The rules that one alert takes: itself and the recording rules that it looks at, directly or not."""
    recorded = {rule["record"]: rule for group in rules["groups"] for rule in group["rules"] if "record" in rule}
    needed = [alerts(rules)[alert]]
    for rule in needed:  # grows meanwhile
        needed += [other for name, other in recorded.items() if name in rule["expr"] and other not in needed]
    return {"groups": [{"name": alert, "rules": [*(rule for rule in recorded.values() if rule in needed), needed[0]]}]}
