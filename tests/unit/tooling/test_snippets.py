"""Whatever README and docs show for copying is run or read here, or is on one list with the reason why it is not.

Configurations are read by the program that they are for; objects of Kubernetes are held against its schemas; `make`,
Helm and our own commands are run as far as that is possible without a cluster. What needs more names the test that does
it where there is one.
"""

import re
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from resolver.config import load as load_resolver
from resolver.config.values import Config
from resolver.ops.surveying import read_owners
from tests.lab.helm import merged, render
from tests.unit.tooling.claims import problem
from tests.unit.tooling.snippets import ROOT, Snippet, all_snippets
from webhook.schema import load as load_webhook

SNIPPETS = all_snippets()
TOPICS = {*Config._fields}
WEBHOOK_TOPICS = {"listen", "tls", "dns", "admin", "cluster", "log"}

OUTPUT = {
    "docs/chart.md": ["- at '/dns/localAddress'", "dns.clusterDNS: must be given"],
    "docs/configuration.md": ["resolver.yaml: zones[0].maxTTL"],
    "docs/migration.md": ["before.yaml:45: dns64", "$ for i in 1 2 3"],
    "docs/node.md": ["table inet nodelocaldns {"],
    "docs/webhook-configuration.md": ["webhook.yaml: dns.ndots"],
}
"""Indented blocks that show what a program says (or are a session with it): by page, how they begin."""

CHART = "tests/e2e/chart"
STEPS = f"`{CHART}/test_migration.py::test_a_node_passes_from_old_to_both_to_new_and_back_and_others_notice_nothing`"
NOT_RUN = {
    r"helm (install|test) nodelocaldns .*": f"`{CHART}/test_work.py::test_helm_test_passes_and_leaves_nothing`",
    r"helm upgrade nodelocaldns .*": STEPS,
    r"helm uninstall nodelocaldns .*": (
        f"`{CHART}/test_release.py::test_after_uninstall_nothing_is_left_of_what_chart_and_webhook_made`"
    ),
    r"kubectl -n kube-system (patch|wait|delete) .*|kubectl label node .*|NODE=.*": STEPS,
    r"kubectl -n kube-system get --ignore-not-found .*": "the output is `tests/cases/migration/shipped.yaml`",
    r"kubectl label namespace shop nodelocaldns.io/inject=true": (
        f"`{CHART}/test_work.py::test_a_namespace_that_opted_in_has_all_its_pods_injected_also_those_of_controllers`"
    ),
    r"kubectl -n kube-system exec .*": (
        "needs a kubelet; the command in it: "
        "`tests/integration/test_doctor.py::test_on_a_node_where_all_is_well_nothing_is_a_problem`"
    ),
    r"kubectl -n kube-system port-forward .*": (
        "needs a kubelet; what it leads to: "
        "`tests/integration/test_status_page.py::test_the_page_shows_what_the_resolver_did_and_goes_on_with_it`"
    ),
    r"docker build .*": "needs Docker, which no machine of the tests has; tests/e2e/image takes the same steps",
    r"(docker buildx|cosign|identity=|sha256sum --check).*": "needs a release in a public registry",
}
"""What is not run as it stands, by a pattern for the whole command: why, and what shows it instead."""


def yaml_snippets() -> list[Snippet]:
    found = []
    for snippet in SNIPPETS:
        shown = any(snippet.text.startswith(start) for start in OUTPUT.get(snippet.page, []))
        if snippet.language == "yaml" or (not snippet.language and not shown and re.match(r"\w+:(\s|$)", snippet.text)):
            found.append(snippet)
    return found


def shell_commands() -> list[tuple[str, str]]:
    data = {snippet.place for snippet in yaml_snippets()}
    found = []
    for snippet in SNIPPETS:
        shown = any(snippet.text.startswith(start) for start in OUTPUT.get(snippet.page, []))
        if snippet.language in ("sh", "") and not shown and snippet.place not in data:
            found += [(snippet.place, command) for command in snippet.commands()]
    return found


COMMANDS = shell_commands()


def test_nothing_has_a_language_that_nobody_checks() -> None:
    assert {snippet.language for snippet in SNIPPETS} <= {"", "sh", "yaml", "json", "text"}
    assert len(yaml_snippets()) >= 12
    assert len(COMMANDS) >= 25


def test_every_block_that_counts_as_output_is_there() -> None:
    for page, starts in OUTPUT.items():
        for start in starts:
            assert [each for each in SNIPPETS if each.page == page and each.text.startswith(start)], (page, start)


@pytest.mark.parametrize("snippet", yaml_snippets(), ids=lambda it: it.place)
def test_what_is_yaml_means_something_to_who_reads_it(snippet: Snippet) -> None:
    data = yaml.safe_load(snippet.text)
    keys = set(data)
    if snippet.page == "docs/webhook-configuration.md" and keys <= WEBHOOK_TOPICS:
        load_webhook(snippet.text, snippet.place)
    elif keys <= TOPICS:
        load_resolver(snippet.text, snippet.place)
    elif "kind" in data:
        _valid_object(data)
    elif keys == {"scrape_configs"}:
        assert data["scrape_configs"][0][
            "job_name"
        ]  # tests/integration/observability has Prometheus read and follow it
    elif keys <= {"metadata", "dnsPolicy", "dnsConfig"}:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", **data.get("metadata", {})}}
        spec = {"containers": [{"name": "web", "image": "web"}], **{key: data[key] for key in keys - {"metadata"}}}
        _valid_object({**pod, "spec": spec})
    else:
        assert render(data), "values of the chart"


def test_what_is_json_is_a_table_of_owners() -> None:
    found = [snippet for snippet in SNIPPETS if snippet.language == "json"]
    assert [snippet.page for snippet in found] == ["docs/top.md"]
    assert len(read_owners(found[0].text)) == 1


def _valid_object(data: dict[str, Any]) -> None:
    import kubernetes_validate

    kubernetes_validate.validate(data, "1.34", strict=True)


@pytest.mark.parametrize(("place", "command"), COMMANDS, ids=[f"{place} {command[:40]}" for place, command in COMMANDS])
def test_what_is_a_command_is_run_or_has_a_reason(place: str, command: str) -> None:
    words = shlex.split(command.partition(" | ")[0].partition(" > ")[0])
    if words[0] == "make":
        subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True)
        return
    if words[0] == "helm" and words[1] in ("install", "upgrade"):
        _rendered(words[2:])
    if words[0] == "nodelocaldns-resolver":
        _understood(words[1:])
        return
    reasons = [why for pattern, why in NOT_RUN.items() if re.fullmatch(pattern, command, re.DOTALL)]
    assert reasons, f"{place}: not run, and no reason given"
    if words[0] == "kubectl" and "-n" in words:
        _known_object(words)


def _rendered(words: list[str]) -> None:
    """Helm takes these arguments and renders something."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("name")
    parser.add_argument("chart", type=Path)
    parser.add_argument("--namespace", "-n")
    parser.add_argument("--create-namespace", action="store_true")
    parser.add_argument("--values", "-f", type=Path)
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args(words)
    assert (ROOT / given.chart / "Chart.yaml").is_file()
    values: dict[str, Any] = {}
    if given.values is not None and str(given.values) != "values.yaml":  # that one is made by the command before
        values = yaml.safe_load((ROOT / given.values).read_text(encoding="utf-8"))
    for setting in given.set:
        path, _, text = setting.partition("=")
        value: Any = yaml.safe_load(text)
        for key in reversed(path.split(".")):
            value = {key: value}
        values = merged(values, value)
    assert render(values, given.name, given.namespace)


def _understood(words: list[str]) -> None:
    """Our command takes these arguments: `--help` beside them is the last word, and wrong ones end before it."""
    if words and words[0] not in ("doctor", "top", "advise"):
        from resolver.__main__ import read_order

        read_order(words)
        return
    done = subprocess.run(
        [sys.executable, "-m", "resolver", *words, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout[:6]) == (0, "usage:"), done.stderr


def _known_object(words: list[str]) -> None:
    """A DaemonSet that is named is one that the chart installs there."""
    for word in words:
        if word.startswith(("ds/nodelocaldns", "daemonset/nodelocaldns")):
            namespace = words[words.index("-n") + 1]
            made = {(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) for each in render()
                    if "namespace" in each["metadata"]}  # fmt: skip
            assert ("DaemonSet", namespace, word.partition("/")[2]) in made


@pytest.mark.parametrize("pattern", NOT_RUN)
def test_every_reason_is_for_something_and_what_it_names_exists(pattern: str) -> None:
    assert [command for _, command in COMMANDS if re.fullmatch(pattern, command, re.DOTALL)]
    for proof in re.findall(r"`(tests/[^`]+::[^`]+)`", NOT_RUN[pattern]):
        assert problem(proof) == ""
