"""docs/webhook.md says what the code does: layers, metrics, reasons, annotations."""

import re
import tomllib
from pathlib import Path

import yaml

from tests.cases.injection import CASES
from webhook import words
from webhook.metrics import Metrics
from webhook.rules import Reason

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "webhook.md").read_text(encoding="utf-8")


def test_layers_are_those_that_are_linted() -> None:
    block = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    shown = [re.split(r"\s{2,}", line)[0] for line in block[1].splitlines()]
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    linted = next(it["layers"] for it in tools["importlinter"]["contracts"] if it["id"] == "webhook-layers")
    assert shown == linted


def test_every_metric_has_a_row_and_every_row_a_metric() -> None:
    collected = {
        family.name + ("_total" if family.type == "counter" else "") for family in Metrics().registry.collect()
    }
    assert set(re.findall(r"^\| `(nodelocaldns_webhook_\w+)", PAGE, re.MULTILINE)) == collected


def test_every_reason_is_explained() -> None:
    table = PAGE.partition("| reason |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z-]+)`", table)) >= {reason.value for reason in Reason}


def test_every_annotation_is_explained() -> None:
    rows = set(re.findall(r"^\| `(nodelocaldns.io/\w+)`", PAGE, re.MULTILINE))
    assert rows == {words.INJECT, words.PROFILE, words.NDOTS, words.SEARCHES, words.STATUS}


def test_the_pod_on_the_page_is_the_first_case() -> None:
    shown = next(block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "dnsConfig" in block)
    assert yaml.safe_load(shown) == {"dnsPolicy": "None", "dnsConfig": CASES[0].dns_config}
