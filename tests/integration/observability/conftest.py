"""What a resolver on a node and a webhook export after they were given something to count, both as processes."""

import contextlib
import os
import signal
import socket
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from resolver.message.framing import frame
from tests.lab.apiserver import OnThisMachine
from tests.lab.ask import question
from tests.lab.loopback import REPOSITORY, Running, configuration, running, upstream
from tests.lab.netns import Namespace, namespaces
from tests.lab.process import Process
from tests.lab.waiting import wait_until
from tests.needs import require
from tests.network import free_port
from tests.unit.webhook.admission import review
from webhook.pki import new_authority, new_leaf

ADDRESS = "169.254.20.10"
SERVFAIL = 2


@pytest.fixture(scope="session")
def expositions(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The texts of /metrics."""
    require("netns", "nft", "conntrack")
    folder = tmp_path_factory.mktemp("exported")
    with namespaces("node") as (place,), place.entered(), contextlib.ExitStack() as upstreams:
        place.ip("link", "set", "lo", "up")
        server = upstreams.enter_context(upstream(ttl=1))
        config = configuration(server, node={"manageInterface": True, "notrack": True})
        config["listen"]["addresses"] = [ADDRESS]
        with running(folder, config) as resolver:
            before, after = _resolver(place, resolver, upstreams.close)
    return before, after, _webhook(folder)


def _resolver(place: Namespace, resolver: Running, stop_upstream: Callable[[], None]) -> tuple[str, str]:
    """Misses and hits, TCP, rubbish, a lost reply, an upstream that dies; then a worker that dies."""
    port = resolver.config["listen"]["port"]
    for _ in range(20):
        _ask(port, "known.example")
    with socket.create_connection((ADDRESS, port), timeout=10) as tcp:
        packet = question("known.example")
        tcp.sendall(frame(packet))
        assert tcp.recv(4096)
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"rubbish", (ADDRESS, port))
        wait_until(lambda: resolver.metric("nodelocaldns_dropped_packets_total") > 0, "rubbish to be counted")
        with _firewall(place, port):
            sock.sendto(question("known.example"), (ADDRESS, port))
            wait_until(lambda: resolver.metric("nodelocaldns_udp_lost_total") > 0, "a reply that the kernel refuses")
    stop_upstream()
    wait_until(lambda: _ask(port, "unknown.example")[3] & 15 == SERVFAIL, "SERVFAIL")
    wait_until(lambda: _stale(resolver, port), "an expired answer")
    wait_until(lambda: resolver.metric("nodelocaldns_conntrack_bypass") == 1, "the self-test")
    before = resolver.admin("/metrics")[1]
    (worker,) = resolver.workers()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: resolver.workers() not in ([], [worker]), "another worker")
    wait_until(lambda: resolver.metric("nodelocaldns_workers_replaced_total") == 1, "its death to be told")
    return before, resolver.admin("/metrics")[1]


def _stale(resolver: Running, port: int) -> bool:
    _ask(port, "known.example")
    return resolver.metric("coredns_cache_served_stale_total") > 0


def _ask(port: int, name: str) -> bytes:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect((ADDRESS, port))
        sock.send(question(name))
        return sock.recv(4096)


@contextlib.contextmanager
def _firewall(place: Namespace, port: int) -> Iterator[None]:
    """It drops the resolver's replies, and so the kernel refuses to send them."""
    place.run("nft", "add table inet wall; add chain inet wall out { type filter hook output priority 1; }")
    place.run("nft", f"add rule inet wall out udp sport {port} drop")
    try:
        yield
    finally:
        place.run("nft", "delete table inet wall")


def _webhook(folder: Path) -> str:
    now = datetime.now(UTC)
    leaf = new_leaf(new_authority(now, timedelta(days=1)), ["127.0.0.1"], now)
    (folder / "tls.crt").write_text(leaf.certificate)
    (folder / "tls.key").write_text(leaf.key)
    port, admin, file = free_port(), free_port(), folder / "webhook.yaml"
    document = {
        "listen": {"address": "127.0.0.1", "port": port, "drain": "0s"},
        "admin": {"address": "127.0.0.1", "port": admin},
        "tls": {"mode": "files", "certFile": str(folder / "tls.crt"), "keyFile": str(folder / "tls.key")},
        "dns": {"clusterDNS": ["10.96.0.10"]},
    }
    file.write_text(yaml.safe_dump(document))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    environment.pop("KUBECONFIG", None)
    here: Any = OnThisMachine()
    command = [sys.executable, "-m", "webhook", "--config", str(file)]
    process = Process(here, command, folder / "webhook.log", environment, REPOSITORY)
    process.start(lambda: _is_ready(admin))
    try:
        for body in (review({"metadata": {"annotations": {}}, "spec": {}}), b"rubbish"):
            _post(f"https://127.0.0.1:{port}/mutate", body)
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as reply:
            return str(reply.read().decode())
    finally:
        process.kill()


def _is_ready(admin: int) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=5) as reply:
        return bool(reply.status == 200)
    return False


def _post(url: str, body: bytes) -> None:
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    with (
        contextlib.suppress(urllib.error.HTTPError),
        urllib.request.urlopen(urllib.request.Request(url, body), timeout=10, context=anybody),
    ):
        pass
