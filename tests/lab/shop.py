"""A node of a small shop, for pictures: its pods, and what their programs look up how often."""

import contextlib
import json
import random
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.lab.ask import question
from tests.lab.knowing import steps


class Pod(NamedTuple):
    """One pod: `writes` says what its programs write, and how many times in a second."""

    address: str
    namespace: str
    name: str
    writes: Mapping[str, float]
    lean: bool = False


INSIDE = frozenset(
    f"{name}.svc.cluster.local"
    for name in (
        "web.shop", "cart.shop", "pay.shop", "search.shop", "db.data", "queue.data", "cache.data", "logs.platform",
        "metrics.platform",
    )
)  # fmt: skip
OUTSIDE = frozenset(
    ("api.partner.example", "cdn.example.net", "objects.eu-west.cloud.example", "mail.example.org", "time.example.org")
)
_CLOUD = "objects.eu-west.cloud.example"
PODS = (
    Pod("127.0.1.1", "shop", "web-7c9d5b6f4-2xk8p", {"cart": 20, "search": 12, "db.data": 6, "cdn.example.net": 4}),
    Pod("127.0.1.2", "shop", "web-7c9d5b6f4-9vqlt", {"cart": 16, "search": 9, "db.data": 5, "cdn.example.net": 3}),
    Pod("127.0.1.3", "shop", "cart-5f8b77d9c-m4zhj", {"db.data": 14, "pay": 6, "cache.data": 11}),
    Pod("127.0.1.4", "shop", "pay-66d4c8b5f9-tr2wn", {"api.partner.example": 7, "db.data": 4}),
    Pod("127.0.1.5", "shop", "search-0", {"cache.data.svc.cluster.local": 24, _CLOUD: 5}, lean=True),
    Pod("127.0.1.6", "data", "backup-28812345-k7xvd", {_CLOUD: 9}),
    Pod("127.0.1.7", "data", "queue-1", {"queue": 5, "logs.platform": 2}),
    Pod("127.0.1.8", "platform", "collector-gw5mz", {"metrics": 6, "logs": 4, "time.example.org": 1}),
    Pod("127.0.1.9", "platform", "mailer-7f6c9d8b44-p5q2s", {"mail.example.org": 3}),
)


def owners(folder: Path) -> Path:
    """The file that says whose addresses they are (`admin.ownersFile`)."""
    table = {
        pod.address: {
            "namespace": pod.namespace, "pod": pod.name, "workload": f"Deployment/{pod.name.partition('-')[0]}",
            "lean": pod.lean,
        }
        for pod in PODS
    }  # fmt: skip
    path = folder / "owners.json"
    path.write_text(json.dumps(table))
    return path


@contextlib.contextmanager
def busy(port: int) -> Iterator[None]:
    """All pods ask the resolver there for as long as the block lasts."""
    end = threading.Event()
    threads = [threading.Thread(target=_ask, args=(pod, port, end)) for pod in PODS]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        end.set()
        for thread in threads:
            thread.join()


def _ask(pod: Pod, port: int, end: threading.Event) -> None:
    chance = random.Random(pod.address)
    written, rates = list(pod.writes), list(pod.writes.values())
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind((pod.address, 0))
        sock.settimeout(2)
        while not end.wait(chance.expovariate(sum(rates))):
            (name,) = chance.choices(written, rates)
            for step in steps(name, INSIDE | OUTSIDE, "" if pod.lean else pod.namespace):
                with contextlib.suppress(TimeoutError):
                    sock.sendto(question(step), ("127.0.0.1", port))
                    sock.recv(4096)
