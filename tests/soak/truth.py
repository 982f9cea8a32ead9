"""What the soak asks, and what is right: a name says what its records must be, so no answer can pass for another.

Two servers make the records out of the names (CoreDNS with its `template` plugin), for as many names as anybody asks;
this module makes names with what they must lead to.
"""

import ipaddress
import itertools
import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dnslib import RCODE

from tests.lab.netns import Namespace
from tests.lab.servers import Server

ZONES: Final = {"soak.cluster.local": 5, "soak.example.com": 60}
"""Zones with the TTL that their server gives."""
KNOWN: Final = 300
"""Names that are asked again and again, of each kind and zone."""
BIG_RECORDS: Final = 12
BIG_BYTES: Final = 170

_ADDRESS: Final = r"10-(?P<b>[0-9]+)-(?P<c>[0-9]+)-(?P<d>[0-9]+)"
_V4: Final = "10.{{ .Group.b }}.{{ .Group.c }}.{{ .Group.d }}"


class Truth(Server):
    """Serves all of ZONES, made up from the names."""

    def __init__(self, namespace: Namespace, address: str, folder: Path, binary: Path) -> None:
        corefile = folder / f"Corefile-{address}"
        blocks = "".join(_block(zone, ttl) for zone, ttl in ZONES.items())
        corefile.write_text(f".:53 {{\nbind {address}\nerrors\n{blocks}}}\n")
        super().__init__(namespace, address, [str(binary), "-conf", str(corefile)], folder / f"coredns-{address}.log")


def _block(zone: str, ttl: int) -> str:
    end = rf"\.{zone.replace('.', chr(92) + '.')}\.$"
    soa = f'authority "{zone}. {ttl} IN SOA ns.{zone}. hostmaster.{zone}. 1 7200 1800 86400 {ttl}"'
    part = "x" * BIG_BYTES
    texts = "\n".join(
        f'answer "{{{{ .Name }}}} {ttl} IN TXT {{{{ .Group.n }}}}-{k}-{part}"' for k in range(BIG_RECORDS)
    )
    name = "{{ .Name }}"
    templates = (
        ("A", rf"(?i)^a-{_ADDRESS}{end}", f'answer "{name} {ttl} IN A {_V4}"'),
        ("A", rf"(?i)^alias-{_ADDRESS}{end}",
         # The plugin adds the address by itself, which is asked of the template above.
         f'answer "{name} {ttl} IN CNAME a-10-{{{{ .Group.b }}}}-{{{{ .Group.c }}}}-{{{{ .Group.d }}}}.{zone}."'),
        ("AAAA", rf"(?i)^six-{_ADDRESS}{end}",
         f'answer "{name} {ttl} IN AAAA fd00:{{{{ .Group.b }}}}:{{{{ .Group.c }}}}::{{{{ .Group.d }}}}"'),
        ("TXT", rf"(?i)^big-(?P<n>[0-9]+){end}", texts),
        ("ANY", rf"(?i)^no-[0-9]+{end}", f"rcode NXDOMAIN\n{soa}"),
        ("ANY", rf"(?i){end}", f"rcode NOERROR\n{soa}"),
    )  # fmt: skip
    return "".join(
        f'template IN {kind} {zone} {{\nmatch "{match}"\n{body}\nfallthrough\n}}\n' for kind, match, body in templates
    )


@dataclass(frozen=True, slots=True)
class Question:
    """`found`: the records' data as text, of all types along a chain. `known`: one of those asked again and again."""

    kind: str
    name: str
    type: str
    found: frozenset[str]
    rcode: int = 0
    known: bool = False


def questions(seed: int) -> Iterator[Question]:
    """Without end: mostly known names of all kinds, and some that nobody asked before; `seed` keeps pods apart."""
    choice = random.Random(seed)
    fresh = itertools.count((seed + 1) << 16 | secrets.randbits(8) << 8)
    zones = tuple(ZONES)
    makers = (_a, _a, _a, _a, _alias, _six, _nodata, _missing, _missing, _big)
    while True:
        known = choice.random() < 0.75
        number = choice.randrange(KNOWN) if known else next(fresh) & 0xFFFFFF
        yield choice.choice(makers)(choice.choice(zones), number, known)


def _octets(number: int) -> tuple[int, int, int]:
    return number >> 16 & 255, number >> 8 & 255, number & 255


def _label(number: int) -> str:
    return "10-" + "-".join(map(str, _octets(number)))


def _v4(number: int) -> str:
    return "10." + ".".join(map(str, _octets(number)))


def _a(zone: str, number: int, known: bool) -> Question:
    return Question("address", f"a-{_label(number)}.{zone}.", "A", frozenset((_v4(number),)), known=known)


def _alias(zone: str, number: int, known: bool) -> Question:
    found = frozenset((f"a-{_label(number)}.{zone}.", _v4(number)))
    return Question("alias", f"alias-{_label(number)}.{zone}.", "A", found, known=known)


def _six(zone: str, number: int, known: bool) -> Question:
    b, c, d = _octets(number)  # decimal digits, read as hexadecimal ones
    return Question(
        "address", f"six-{_label(number)}.{zone}.", "AAAA", frozenset((_v6(f"fd00:{b}:{c}::{d}"),)), known=known
    )


def _v6(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _nodata(zone: str, number: int, known: bool) -> Question:
    return Question("no data", f"a-{_label(number)}.{zone}.", "AAAA", frozenset(), known=known)


def _missing(zone: str, number: int, known: bool) -> Question:
    return Question("no such name", f"no-{number}.{zone}.", "A", frozenset(), rcode=RCODE.NXDOMAIN, known=known)


def _big(zone: str, number: int, known: bool) -> Question:
    found = frozenset(f'"{number}-{k}-{"x" * BIG_BYTES}"' for k in range(BIG_RECORDS))
    return Question("big", f"big-{number}.{zone}.", "TXT", found, known=known)
