"""What of a conversion's input is not Corefile: Kubernetes objects as `kubectl get -o yaml` prints them, one or many.

Looked at are ConfigMaps with a Corefile, the ConfigMap kube-dns, the DaemonSet that runs node-cache, and Services;
others are passed over. Nothing here is believed to have its usual shape: a wrong type is as if it were not there.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from resolver.config.yamltext import Placed

_IS_YAML = re.compile(r"^[ \t\r{\[]*\"?(?:apiVersion|kind)\"?[ \t]*:[ \t]", re.MULTILINE)
COREFILE_KEYS = ("Corefile", "Corefile.base")
KUBE_DNS_KEYS = ("stubDomains", "upstreamNameservers", "federations")


@dataclass(frozen=True, slots=True)
class CorefileMap:
    """A ConfigMap with a Corefile."""

    name: str
    text: Placed


@dataclass(slots=True)
class Objects:
    """What was found. `flags` are node-cache's, without dashes; `addresses` those of Services by name."""

    corefiles: list[CorefileMap] = field(default_factory=list)
    kube_dns: dict[str, Placed] = field(default_factory=dict)
    flags: dict[str, str] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)


def is_yaml(text: str) -> bool:
    """Whether this is a Kubernetes object and no Corefile, in which no line can begin so."""
    return _IS_YAML.search(text) is not None


def find_objects(documents: tuple[Any, ...]) -> Objects:
    """Sort what the documents hold."""
    found = Objects()
    for each in documents:
        for thing in _flat(each):
            _sort_in(thing, found)
    return found


def _flat(document: object) -> Iterator[dict[Any, Any]]:
    """The objects of a document; those of a list one by one."""
    things = document if isinstance(document, list) else [document]
    for thing in things:
        if isinstance(thing, dict) and isinstance(thing.get("items"), list):
            yield from (each for each in thing["items"] if isinstance(each, dict))
        elif isinstance(thing, dict):
            yield thing


def _sort_in(thing: dict[Any, Any], found: Objects) -> None:
    name = _at(thing, "metadata", "name")
    match thing.get("kind"):
        case "ConfigMap":
            _config_map(name if isinstance(name, str) else "", _at(thing, "data"), found)
        case "Service":
            address = _at(thing, "spec", "clusterIP")
            if isinstance(name, str) and isinstance(address, str) and address not in {"", "None"}:
                found.addresses[name] = address
        case "DaemonSet" | "Deployment" | "Pod":
            spec = _at(thing, "spec") if thing.get("kind") == "Pod" else _at(thing, "spec", "template", "spec")
            containers = _at(spec, "containers")
            for container in containers if isinstance(containers, list) else ():
                _container(container, found)


def _config_map(name: str, data: object, found: Objects) -> None:
    if not isinstance(data, dict):
        return
    for key in COREFILE_KEYS:
        if isinstance(text := data.get(key), Placed):
            found.corefiles.append(CorefileMap(name, text))
            return
    if name == "kube-dns" or any(key in data for key in KUBE_DNS_KEYS):
        found.kube_dns = {key: text for key in KUBE_DNS_KEYS if isinstance(text := data.get(key), Placed)}


def _container(container: object, found: Objects) -> None:
    words = [
        each
        for key in ("command", "args")
        if isinstance(listed := _at(container, key), list)
        for each in listed
        if isinstance(each, str)
    ]
    flags = read_flags(words)
    if "localip" not in flags:
        return
    found.flags = flags
    variables = _at(container, "env")
    for each in variables if isinstance(variables, list) else ():
        name, value = _at(each, "name"), _at(each, "value")
        if isinstance(name, str) and isinstance(value, str):
            found.environment[name] = value


def read_flags(words: list[str]) -> dict[str, str]:
    """Go's flags: `-name=value`, `-name value`, with one dash or two. One without a value is "true"."""
    found: dict[str, str] = {}
    name = ""
    for word in words:
        if word.startswith("-") and len(word) > 1:
            name, equals, value = word.lstrip("-").partition("=")
            found[name] = value if equals else "true"
            name = "" if equals else name
        elif name:
            found[name], name = word, ""
    return found


def is_on(flags: Mapping[str, str], name: str, *, default: bool) -> bool:
    """A flag that is true or false."""
    return flags.get(name, "true" if default else "false").lower() in {"true", "t", "1"}


def _at(thing: object, *path: str) -> object:
    """What stands at the path; None where there is none."""
    for key in path:
        thing = thing.get(key) if isinstance(thing, dict) else None
    return thing
