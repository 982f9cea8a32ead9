"""Reviews as nobody sends them: random bytes, parts replaced, bytes flipped. The same seed, the same reviews."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from tests.cases.injection import CASES

ATOMS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, "", "true", "false", "None", "ClusterFirst", "ClusterFirstWithHostNet", "windows",
    "compat", "15", "a,b", "\x00", "\ud800", "é", "x" * 300, [], {}, [None], {"": None}, ["192.0.2.1"],
    {"name": "windows"},
    {"nameservers": ["169.254.20.10"]},
    {"searches": None}, {"nodelocaldns.io/inject": "true"},
)  # fmt: skip


def reviews(count: int, seed: int = 1) -> Iterator[tuple[bytes, str]]:
    """Bodies, and the path that each is posted to."""
    chance = random.Random(seed)
    # Reading a text again takes a tenth of what copying what was read takes.
    wholes = [json.dumps(_review(case.pod("web-"), case.namespace)) for case in CASES]
    for _ in range(count):
        path = chance.choice(("/mutate", "/mutate/namespace"))
        kind = chance.random()
        if kind < 0.1:
            yield chance.randbytes(chance.randrange(200)), path
            continue
        document = json.loads(chance.choice(wholes))
        for _ in range(chance.choice((0, 1, 1, 2, 4))):
            _change(document, chance)
        body = bytearray(json.dumps(document).encode())
        if kind > 0.8:
            for _ in range(chance.choice((1, 1, 3))):
                body[chance.randrange(len(body))] = chance.randrange(256)
        yield bytes(body[: chance.randrange(len(body))] if kind > 0.97 else body), path


def pods(count: int, seed: int = 2) -> Iterator[dict[str, Any]]:
    """Pods of the table with parts of them replaced; most are none that an API server takes."""
    chance = random.Random(seed)
    for _ in range(count):
        pod = copy.deepcopy(chance.choice(CASES).pod("fuzz-"))
        for _ in range(chance.choice((1, 1, 2))):
            _change(pod, chance)
        yield pod


def _review(pod: dict[str, Any], namespace: str) -> dict[str, Any]:
    request = {
        "uid": "705ab4f5",
        "operation": "CREATE",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": namespace,
        "object": pod,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def _change(document: dict[str, Any], chance: random.Random) -> None:
    """Replace, remove or add one thing at a random place."""
    here: Any = document
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(here[key], dict | list) and here[key] and chance.random() < 0.8:
            here = here[key]
            continue
        action = chance.random()
        if action < 0.2:
            del here[key]
        elif action < 0.3 and isinstance(here, dict):
            here[chance.choice(("dnsConfig", "dnsPolicy", "os", "annotations", "futureField"))] = copy.deepcopy(
                chance.choice(ATOMS)
            )
        else:
            here[key] = copy.deepcopy(chance.choice(ATOMS))
        return
