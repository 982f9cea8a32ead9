"""The ConfigMap kube-dns: `stubDomains` and `upstreamNameservers`, as NodeLocal DNSCache puts them in its Corefile."""

import json
from typing import Any, NamedTuple, TypeVar

from resolver.config.yamltext import Placed
from resolver.migration.caching import Caching
from resolver.migration.caddyfile import Directive
from resolver.migration.forwarding import Tell, read_forward
from resolver.migration.names import read_zone
from resolver.migration.remarks import Grade
from resolver.migration.tokens import Token
from resolver.migration.zones import Server

MOST_NAMESERVERS = 3
_T = TypeVar("_T", dict[str, Any], list[Any])


class KubeDns(NamedTuple):
    """`upstreams` is empty where the ConfigMap names none."""

    servers: tuple[Server, ...]
    upstreams: tuple[str, ...]


def read_kube_dns(texts: dict[str, Placed], tell: Tell) -> KubeDns:
    """Lines of `tell` are the file's."""
    if (federations := texts.get("federations")) is not None and federations.strip():
        where = _token(federations, "federations")
        tell(
            where, "federations", Grade.LEFT_OUT, "federations are no more since Kubernetes 1.18: write a zone for each"
        )
    return KubeDns(_stub_domains(texts.get("stubDomains"), tell), _nameservers(texts.get("upstreamNameservers"), tell))


_KINDS: dict[type, str] = {dict: "an object", list: "a list"}


def _parsed(text: Placed | None, name: str, kind: type[_T], tell: Tell) -> _T:
    if text is None or not text.strip():
        return kind()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, kind):
        return found
    tell(_token(text, name), name, Grade.LEFT_OUT, f"not JSON of the right form, {_KINDS[kind]}")
    return kind()


def _stub_domains(text: Placed | None, tell: Tell) -> tuple[Server, ...]:
    found = []
    for domain, servers in _parsed(text, "stubDomains", dict, tell).items():
        server = _stub_domain(_token(text, domain), servers, tell) if text is not None else None
        if server is not None:
            found.append(server)
    return tuple(found)


def _stub_domain(where: Token, servers: object, tell: Tell) -> Server | None:
    """With `cache 30`, asked over the client's own transport."""
    subject = f"stubDomains: {where.text}"
    try:
        zones = read_zone(where.text)
    except ValueError as error:
        tell(where, subject, Grade.LEFT_OUT, str(error))
        return None
    if not (isinstance(servers, list) and servers and all(isinstance(each, str) and each for each in servers)):
        tell(where, subject, Grade.LEFT_OUT, "a list of addresses was expected")
        return None
    words = (where._replace(text="."), *(where._replace(text=each) for each in servers))
    forward = read_forward(Directive(where._replace(text="stubDomains"), words), tell)
    forwards = [forward] if forward is not None else []
    return Server(dict.fromkeys(zones, where), forwards, Caching(30, 30), tell, subject)


def _nameservers(text: Placed | None, tell: Tell) -> tuple[str, ...]:
    name = "upstreamNameservers"
    found = [each for each in _parsed(text, name, list, tell) if isinstance(each, str) and each]
    if text is not None and found[MOST_NAMESERVERS:]:
        tell(
            _token(text, name),
            name,
            Grade.NOTE,
            f"NodeLocal DNSCache refuses more than {MOST_NAMESERVERS}; all are taken here",
        )
    return tuple(found)


def _token(text: Placed, word: str) -> Token:
    """`word` with the line of the file on which it stands, as far as that can be told."""
    line = text.line + 1 + text.count("\n", 0, max(text.find(word), 0)) if text.literal else text.line
    return Token(word, line, 1)
