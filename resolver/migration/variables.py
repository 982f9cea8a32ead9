"""Variables in a Corefile: `__PILLAR__...__`, which NodeLocal DNSCache or its installer replaces, and `{$NAME}`, which
CoreDNS takes from its environment.

Values come from whoever asks for the conversion, from other objects in the input, or from what NodeLocal DNSCache would
put in; such an assumption is told. A variable that nothing is known of is an error: there is no safe guess for the
address of the cluster's DNS.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from resolver.migration.remarks import shown
from resolver.migration.tokens import Token

CLUSTER_DNS = "__PILLAR__CLUSTER__DNS__"
LOCAL_DNS = "__PILLAR__LOCAL__DNS__"
DNS_SERVER = "__PILLAR__DNS__SERVER__"
UPSTREAM_SERVERS = "__PILLAR__UPSTREAM__SERVERS__"

_VARIABLE = re.compile(r"(?P<pillar>__[A-Z0-9]+(?:__[A-Z0-9]+)+__)|\{\$(?P<dollar>[^}]+)\}|\{%(?P<percent>.+?)%\}")

ASSUMED: Mapping[str, tuple[str, str]] = {
    UPSTREAM_SERVERS: ("/etc/resolv.conf", ""),
    "__PROMETHEUS__ENDPOINT__": (":9253", ""),
    LOCAL_DNS: ("169.254.20.10", "is taken to be 169.254.20.10"),
    "__PILLAR__DNS__DOMAIN__": ("cluster.local", "is taken to be cluster.local"),
    DNS_SERVER: ("", "is taken to be empty: the address of the cluster's DNS Service is not answered on"),
}
"""Value and, where an operator may have meant another one, what to say about it."""


_KEEP = "where that is a Service of NodeLocal DNSCache's manifest, keep it when the rest of the manifest is removed"


class Unknown(NamedTuple):
    """A variable without a value, and where it stands."""

    name: str
    token: Token


class Values:
    """Looks variables up: what was `given`, then what was `found` in the input, then assumptions.

    `tell(token, name, sentence)` is called where an assumption is used that somebody should know of.
    """

    def __init__(
        self, given: Mapping[str, str], found: Mapping[str, str], tell: Callable[[Token, str, str], None]
    ) -> None:
        self._known = {**found, **given}
        self._tell = tell
        self.unknown: list[Unknown] = []
        self.cluster_dns = ""

    def put_in(self, tokens: list[Token]) -> list[Token]:
        """The words with all variables replaced; what is unknown stays, and is noted in `unknown`."""
        return [each for token in tokens for each in self._replaced(token)]

    def _replaced(self, token: Token) -> Iterator[Token]:
        match = _VARIABLE.search(token.text)
        if match is None:
            yield token
            return
        text = _VARIABLE.sub(lambda found: self._value(token, found), token.text)
        # NodeLocal DNSCache replaces in the text, before there are words: a list of addresses becomes several.
        words = text.split() if match["pillar"] else [text]
        for number, word in enumerate(words):
            yield token._replace(text=word, first=token.first and number == 0)

    def _value(self, token: Token, match: re.Match[str]) -> str:
        name = match["pillar"] or match["dollar"] or match["percent"]
        value = self._known.get(name)
        if value is not None:
            if name == CLUSTER_DNS:
                self.cluster_dns = value
                self._tell(token, name, f"is {shown(value)}: {_KEEP}")
            return value if match[0] == token.text else " ".join(value.split()[:1])
        if match["pillar"] and name in ASSUMED:
            value, sentence = ASSUMED[name]
            if sentence:
                self._tell(token, name, f"{sentence}; if not, {advice(name)}")
            return value
        self.unknown.append(Unknown(name, token))
        return match[0]


def advice(name: str) -> str:
    """How to give a value, for people."""
    if name == CLUSTER_DNS:
        return (
            f"--set {name}=ADDRESS, with the address of the Service kube-dns-upstream "
            "(kubectl -n kube-system get service kube-dns-upstream)"
        )
    return f"--set {name}=VALUE"
