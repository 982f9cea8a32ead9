"""Corefile or YAML, one document or many: what is looked at, and where its lines are."""

import json
from typing import Any

import pytest
import yaml

from resolver.migration import MigrationError, convert
from resolver.migration.manifests import is_yaml, read_flags
from tests.unit.migration.conversions import converted, document_of, told

COREFILE = "{} {{\n    bind 169.254.20.10\n    forward . {}\n    whoami\n}}\n"
ONE = COREFILE.format(".", "192.0.2.1")


def config_map(name: str, text: str, key: str = "Corefile") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {key: text}}


def service(name: str, address: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"clusterIP": address}}


def daemonset(args: list[str], env: list[dict[str, str]] | None = None) -> dict[str, Any]:
    containers = [{"name": "other"}, {"name": "node-cache", "args": args, "env": env or []}]
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "node-local-dns"},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (ONE, False),
        ("kind: ConfigMap\n", True),
        ("# a comment\n---\napiVersion: v1\n", True),
        (json.dumps(config_map("x", ONE)), True),
        (json.dumps(config_map("x", ONE), indent=2), True),
        ("", False),
        ("kind.example:53 {\n}", False),
    ],
)
def test_yaml_and_corefile_are_told_apart(text: str, answer: bool) -> None:
    assert is_yaml(text) is answer


def test_lines_are_those_of_the_file_where_the_corefile_is_a_block() -> None:
    corefile = "\n    . {\n      forward . 192.0.2.1\n      whoami\n    }\n"
    text = f"apiVersion: v1\nkind: ConfigMap\ndata:\n  Corefile: |\n{corefile}"
    assert told(text, "whoami")[0][0] == (8,)
    with pytest.raises(MigrationError, match=r"^Corefile:7:7: "):
        converted(text.replace("forward", "{"))


def test_where_it_is_a_quoted_text_lines_are_its_own_and_say_so() -> None:
    text = f"apiVersion: v1\nkind: ConfigMap\ndata:\n  Corefile: {json.dumps(ONE)}\n"
    (line,) = [str(each) for each in converted(text).remarks if each.subject == "whoami"]
    assert line.startswith("Corefile:4 (line 4 of the Corefile): whoami: left out: ")
    assert "  # Corefile:4 (line 1 of the Corefile): .\n" in converted(text).text


@pytest.mark.parametrize("form", ["documents", "list", "json"])
def test_objects_may_come_in_any_form(form: str) -> None:
    corefile = ONE.replace("192.0.2.1", "__PILLAR__CLUSTER__DNS__")
    things = [
        service("kube-dns", "10.96.0.10"),
        service("kube-dns-upstream", "10.96.0.11"),
        service("node-local-dns", "None"),
        config_map("node-local-dns", corefile),
        daemonset(["-localip", "169.254.20.10", "-conf", "/etc/Corefile"]),
        {"apiVersion": "v1", "kind": "Secret"},
    ]
    if form == "documents":
        text = yaml.safe_dump_all(things)
    else:
        listed = {"apiVersion": "v1", "kind": "List", "items": things}
        text = json.dumps(listed, indent=1) if form == "json" else yaml.safe_dump(listed)
    assert document_of(text)["zones"][0]["upstreams"] == ["10.96.0.11"]


def test_the_flags_and_the_environment_of_node_cache_give_values() -> None:
    corefile = ". {\n bind __PILLAR__LOCAL__DNS__\n forward . {$WORLD} __PILLAR__CLUSTER__DNS__\n}"
    text = yaml.safe_dump_all(
        [
            config_map("nodelocaldns", corefile, "Corefile.base"),
            daemonset(
                ["-localip=169.254.20.10,fd00::a", "-upstreamsvc=dns-up"], [{"name": "WORLD", "value": "192.0.2.7"}]
            ),
            service("dns-up", "10.96.0.12"),
        ]
    )
    document = document_of(text)
    assert document["listen"]["addresses"] == ["169.254.20.10", "fd00::a"]
    assert document["zones"][0]["upstreams"] == ["192.0.2.7", "10.96.0.12"]


def test_a_manifest_that_was_never_filled_in_says_nothing_of_addresses() -> None:
    text = yaml.safe_dump_all(
        [config_map("x", ONE), daemonset(["-localip", "__PILLAR__LOCAL__DNS__,__PILLAR__DNS__SERVER__"])]
    )
    assert document_of(text)["listen"]["addresses"] == ["169.254.20.10"]


def test_of_several_corefiles_that_of_the_node_local_one_is_taken() -> None:
    other = config_map("coredns", COREFILE.format(".", "192.0.2.9"))
    text = yaml.safe_dump_all([other, config_map("node-local-dns", ONE)])
    assert document_of(text)["zones"][0]["upstreams"] == ["192.0.2.1"]
    with pytest.raises(
        MigrationError, match=r"several ConfigMaps have a Corefile: coredns \(line 3\), dns \(line 10\)"
    ):
        converted(yaml.safe_dump_all([other, config_map("dns", ONE)]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("apiVersion: v1\nkind: [\n", "not YAML"),
        ("kind: {{ .Values.x }}\n", "rendered first"),
        ("apiVersion: v1\nkind: Secret\n", "no ConfigMap"),
        ("kind: ConfigMap\ndata: none\n", "no ConfigMap"),
        ("kind: ConfigMap\ndata: {other: text}\n", "no ConfigMap"),
        ("kind: ConfigMap\nmetadata: 5\ndata: {Corefile: 5}\n", "no ConfigMap"),
        ("", "nothing to forward"),
    ],
)
def test_what_holds_no_corefile_is_refused(text: str, words: str) -> None:
    with pytest.raises(MigrationError, match=words):
        convert(text, "file.yaml", {})


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (["-a", "1", "--b=2", "-c"], {"a": "1", "b": "2", "c": "true"}),
        (["/node-cache", "-a", "-b", "x", "y"], {"a": "true", "b": "x"}),
        ([], {}),
        (["-", "--"], {"": "true"}),
    ],
)
def test_flags_are_read_as_go_reads_them(words: list[str], flags: dict[str, str]) -> None:
    assert read_flags(words) == flags
