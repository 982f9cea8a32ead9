"""What a file given for conversion holds: a Corefile, or Kubernetes objects with one, and what else they tell.

A kube-dns ConfigMap alone says how the Corefile of NodeLocal DNSCache's own manifest is to be changed, so that one is
taken then.
"""

from typing import NamedTuple

from resolver.config.problems import Problem
from resolver.config.yamltext import Placed, parse_documents
from resolver.migration.manifests import CorefileMap, Objects, find_objects, is_yaml
from resolver.migration.remarks import Source, shown

SHIPPED = """\
__PILLAR__DNS__DOMAIN__:53 {
    errors
    cache {
        success 9984 30
        denial 9984 5
    }
    reload
    loop
    bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
    prometheus :9253
    health __PILLAR__LOCAL__DNS__:8080
}
in-addr.arpa:53 ip6.arpa:53 {
    errors
    cache 30
    reload
    loop
    bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
    prometheus :9253
}
.:53 {
    errors
    cache 30
    reload
    loop
    bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__
    forward . __PILLAR__UPSTREAM__SERVERS__
    prometheus :9253
}
"""
"""That of NodeLocal DNSCache's manifest (in Kubernetes' repository), its reverse zones in one block."""
SHIPPED_NAME = "(the Corefile of NodeLocal DNSCache's manifest)"


class MigrationError(ValueError):
    """Nothing can be converted. `str()` gives one line per problem, each with its place."""


class Input(NamedTuple):
    """`source` says where the lines of `corefile` are; `file` is what people call the whole."""

    file: str
    source: Source
    corefile: str
    objects: Objects


def read_input(text: str, file: str) -> Input:
    """Raises MigrationError."""
    if not is_yaml(text):
        return Input(file, Source(file), text, Objects())
    documents = parse_documents(text)
    if isinstance(documents, Problem):
        hint = "; a template has to be rendered first (helm template)" if "{{" in text else ""
        raise MigrationError(f"{file}: {documents}{hint}")
    objects = find_objects(documents)
    chosen = _choose(objects.corefiles, file)
    if chosen is not None:
        return Input(file, place_of(chosen.text, file), str(chosen.text), objects)
    if objects.kube_dns:
        return Input(file, Source(SHIPPED_NAME), SHIPPED, objects)
    raise MigrationError(
        f"{file}: there is no ConfigMap with a Corefile in it, and no kube-dns ConfigMap with settings"
    )


def _choose(found: list[CorefileMap], file: str) -> CorefileMap | None:
    """The one of NodeLocal DNSCache: the cluster's CoreDNS has a ConfigMap of that form, too."""
    ours = [each for each in found if "local" in each.name] if found[1:] else found
    if found and len(ours) != 1:
        names = ", ".join(f"{shown(each.name)} (line {each.text.line})" for each in found)
        raise MigrationError(f"{file}: several ConfigMaps have a Corefile: {names}. Give the one to convert")
    return ours[0] if ours else None


def place_of(text: Placed, file: str) -> Source:
    """Where the lines of a text are in the file."""
    if text.literal:
        return Source(file, text.line + 1, text.indent)
    return Source(file, text.line, known=False)
