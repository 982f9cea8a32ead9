"""An upstream that knows some names and no others, and what pods ask of it on the way through their search lists."""

import contextlib
from collections.abc import Collection, Sequence

from resolver.message import names
from tests.lab.loopback import Upstream

SEARCHED = ("{}.svc.cluster.local", "svc.cluster.local", "cluster.local")
"""The search list that Kubernetes gives to a pod, without the node's; {}: its namespace."""
_NO_SUCH_NAME = b"\0\0\6\0\1\0\0\1\x2c\0\x16\0\0\0\0\0\1\0\0\1\0\0\0\1\0\0\1\0\0\0\0\1\x2c"


class Knowing(Upstream):
    """Answers A questions for the names it knows; all others do not exist, for five minutes."""

    def __init__(self, known: Collection[str], ttl: int = 300) -> None:
        super().__init__(ttl)
        self._known = known

    def after_id(self, question: bytes) -> bytes:
        if names.to_text(question[:-4]).rstrip(".") in self._known:
            return super().after_id(question)
        return b"\x81\x83\0\1\0\0\0\1\0\0" + question + _NO_SUCH_NAME


def knowing(known: Collection[str], ttl: int = 300) -> contextlib.AbstractContextManager[Knowing]:
    """Such a server, serving."""
    return Knowing(known, ttl).serving()


def steps(written: str, known: Collection[str], namespace: str = "") -> Sequence[str]:
    """What a pod of that namespace asks for, up to the name that is found; without one, the name as it is written.

    Raises StopIteration where none of them is known.
    """
    searched = [f"{written}.{search.format(namespace)}" for search in SEARCHED] if namespace else []
    asked = [*searched, written]
    return asked[: next(number for number, name in enumerate(asked, 1) if name in known)]
