"""dig, asking a given server from a pod, its output read back into values."""

import re
from dataclasses import dataclass

from tests.lab.netns import Namespace
from tests.lab.topology import LOCAL


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the answer section."""

    name: str
    ttl: int
    type: str
    data: str


@dataclass(frozen=True, slots=True)
class Dug:
    """One answer as dig shows it. `status` is "" when no answer came; `extended_error` is the EDE's number, None
    without one.
    """

    status: str
    flags: frozenset[str]
    extended_error: int | None
    question: str
    answer: tuple[Record, ...]
    authority: tuple[Record, ...]
    milliseconds: int | None
    transport: str
    output: str

    @property
    def data(self) -> set[str]:
        """The record data of the answer section, aliases left out."""
        return {record.data for record in self.answer if record.type != "CNAME"}


def dig(pod: Namespace, name: str, record_type: str = "A", *options: str, server: str = LOCAL) -> Dug:
    """Ask once, waiting up to dig's usual 5 s; options such as "+tcp" or "+ignore" (keep a truncated answer) are
    passed on.
    """
    told = pod.run("dig", f"@{server}", "+tries=1", "+time=5", *options, name, record_type).stdout
    status = re.search(r"status: (\w+)", told)
    flags = re.search(r"^;; flags: ([a-z ]*);", told, re.MULTILINE)
    extended_error = re.search(r"^; EDE: (\d+)", told, re.MULTILINE)
    question = re.search(r"^;(\S+)\s+IN\s+\S+$", told, re.MULTILINE)
    milliseconds = re.search(r"^;; Query time: (\d+) msec", told, re.MULTILINE)
    transport = re.search(r"^;; SERVER: .*\((\w+)\)$", told, re.MULTILINE)
    return Dug(
        status=status[1] if status else "",
        flags=frozenset(flags[1].split()) if flags else frozenset(),
        extended_error=int(extended_error[1]) if extended_error else None,
        question=question[1] if question else "",
        answer=_section(told, "ANSWER"),
        authority=_section(told, "AUTHORITY"),
        milliseconds=int(milliseconds[1]) if milliseconds else None,
        transport=transport[1].lower() if transport else "",
        output=told,
    )


def _section(told: str, title: str) -> tuple[Record, ...]:
    body = re.search(rf"^;; {title} SECTION:\n(.*?)\n\n", told, re.MULTILINE | re.DOTALL)
    fields = (line.split(None, 4) for line in body[1].splitlines()) if body else ()
    return tuple(Record(name, int(ttl), record_type, data) for name, ttl, _, record_type, data in fields)
