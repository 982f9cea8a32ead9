"""The doors for untrusted bytes, and what is kept for each: inputs that reach far, and inputs that once broke it."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).parent
CORPUS: Final = FOLDER / "corpus"
CRASHES: Final = FOLDER / "crashes"

SAYS: Final = {
    "client": "a client's packet over UDP, batched and plain, ready and anew",
    "client_tcp": "a client's TCP stream, cut anywhere",
    "answer": "a server's answer: read, remembered, told, shown, handed over",
    "upstream_tcp": "a server's TCP stream, cut anywhere",
    "options": "EDNS options and extended errors of both sides",
    "derived": "a server's answer that another one is made from",
    "handover": "answers and messages of a predecessor",
    "config": "resolver.yaml and webhook.yaml",
    "corefile": "a Corefile or objects around one, to be converted",
    "resolvconf": "resolv.conf",
    "admin": "HTTP requests to the admin endpoints",
    "review": "AdmissionReviews of the webhook",
}
"""What is read at each door."""
DOORS: Final = tuple(SAYS)
READ_BY: Final = {
    "client": ("resolver/message/query.py", "resolver/message/canonical.py", "resolver/message/reply.py",
               "resolver/rejections.py", "resolver/listen/batched.py"),
    "client_tcp": ("resolver/message/framing.py", "resolver/listen/connection.py"),
    "answer": ("resolver/message/answer.py", "resolver/message/walk.py", "resolver/message/reply.py",
               "resolver/message/text.py"),
    "upstream_tcp": ("resolver/message/framing.py", "resolver/upstream/connection.py"),
    "options": ("resolver/message/query.py", "resolver/message/canonical.py", "resolver/message/walk.py"),
    "derived": ("resolver/message/derive.py",),
    "handover": ("resolver/cache/snapshot.py", "resolver/supervisor/channel.py"),
    "config": ("resolver/config/*.py",),
    "corefile": ("resolver/migration/*.py",),
    "resolvconf": ("resolver/config/resolvconf.py",),
    "admin": ("resolver/ops/http.py", "resolver/ops/requests.py", "resolver/ops/cachepage.py",
              "resolver/message/names.py"),
    "review": ("webhook/review.py", "webhook/decision.py", "webhook/rules.py"),
}  # fmt: skip
"""The modules that read its bytes."""
MOST_BYTES: Final = {"client": 1400, "client_tcp": 8000, "upstream_tcp": 8000, "handover": 8000, "review": 6000}
"""Of an input; 4,096 for the others."""


class Door(NamedTuple):
    """`check` raises for an input that shows a defect, and for no other."""

    check: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]


def door(name: str) -> Door:
    """The door of this name, imported."""
    module = import_module(f"tests.fuzz.doors.{name}")
    return Door(module.check, module.seeds)


def most_bytes(name: str) -> int:
    """The longest input of a door."""
    return MOST_BYTES.get(name, 4096)


def kept(folder: Path, name: str) -> list[Path]:
    """The inputs that one of the two folders holds for a door."""
    return sorted(path for path in (folder / name).glob("*") if path.is_file())
