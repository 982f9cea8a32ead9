import asyncio
import io
import json
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization

from tests.cases.injection import CASES, DNS
from tests.unit.webhook.admission import review
from webhook import server as server_module
from webhook.metrics import Metrics
from webhook.pki import Pair, new_authority, new_leaf
from webhook.profile import Profile
from webhook.rules import Reason
from webhook.server import MOST_BYTES, Server, listening_socket
from webhook.serving import BadCertificateError, Serving
from webhook.state import State

NOW = datetime.now(UTC)
AUTHORITY = new_authority(NOW, timedelta(days=1))
LEAF = new_leaf(AUTHORITY, ["webhook.example", "127.0.0.1"], NOW)
POD = CASES[0].pod("web-")
ENCRYPTED = (
    serialization.load_pem_private_key(LEAF.key.encode(), None)
    .private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    .decode()
)


class Running:
    """A server with its ports, and a client that trusts its CA."""

    def __init__(self) -> None:
        self.state, self.serving, self.metrics = State(DNS), Serving(), Metrics()
        self.serving.replace(LEAF)
        self.server = Server(self.state, self.serving, self.metrics)
        self.context = ssl.create_default_context(cadata=AUTHORITY.certificate)
        self.admission = self.admin = ""

    async def post(self, body: Any, path: str = "/mutate", **how: Any) -> aiohttp.ClientResponse:
        async with aiohttp.ClientSession() as client:
            reply = await client.post(self.admission + path, data=body, ssl=self.context, **how)
            await reply.read()
            return reply

    async def get(self, url: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as client, client.get(url, ssl=self.context) as reply:
            return reply.status, await reply.text()

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"nodelocaldns_webhook_{name}_total", labels) or 0.0


def served(work: Callable[[Running], Awaitable[None]]) -> None:
    async def serve() -> None:
        running = Running()
        running.admission = f"https://127.0.0.1:{await running.server.start_admission('127.0.0.1', 0)}"
        running.admin = f"http://127.0.0.1:{await running.server.start_admin('127.0.0.1', 0)}"
        try:
            await work(running)
        finally:
            await running.server.stop()

    asyncio.run(serve())


def test_a_review_is_answered_and_counted() -> None:
    async def work(running: Running) -> None:
        reply = await running.post(review(POD))
        answer = json.loads(await reply.read())["response"]
        assert (reply.status, answer["allowed"], answer["patchType"]) == (200, True, "JSONPatch")
        assert running.count("decisions", result="injected", reason="", profile="lean") == 1
        plain: dict[str, Any] = {"metadata": {}, "spec": {}}
        assert "patch" not in json.loads(await (await running.post(review(plain))).read())["response"]
        by_namespace = await running.post(review(plain), "/mutate/namespace")
        assert "patch" in json.loads(await by_namespace.read())["response"]

    served(work)


def test_garbage_gets_400_and_a_reason() -> None:
    async def work(running: Running) -> None:
        reply = await running.post(b"garbage")
        assert (reply.status, (await reply.text())[:8]) == (400, "not JSON")
        assert running.count("rejected_calls", code="400") == 1

    served(work)


def test_a_body_beyond_the_limit_gets_413() -> None:
    async def work(running: Running) -> None:
        reply = await running.post(io.BytesIO(b" " * (MOST_BYTES + 1)))
        assert reply.status == 413
        assert reply.headers["Connection"] == "close"

    served(work)


def test_a_body_that_does_not_arrive_gets_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "BODY_SECONDS", 0.05)

    async def work(running: Running) -> None:
        host, port = running.admission.removeprefix("https://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=running.context)
        writer.write(b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()
        await writer.wait_closed()

    served(work)


def test_our_own_failure_lets_the_pod_through_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(server_module, "decide", fail)

    async def work(running: Running) -> None:
        reply = await running.post(review(POD))
        answer = json.loads(await reply.read())["response"]
        assert (reply.status, answer["allowed"], "patch" in answer) == (200, True, False)
        assert "let it through" in answer["warnings"][0]
        assert running.count("internal_errors") == 1

    served(work)
    assert "a pod went through undecided" in caplog.text


def test_while_draining_every_answer_closes_its_connection() -> None:
    async def work(running: Running) -> None:
        assert "Connection" not in (await running.post(review(POD))).headers
        running.state.draining = True
        assert (await running.post(review(POD))).headers["Connection"] == "close"
        assert (await running.post(b"x")).headers["Connection"] == "close"
        assert (await running.get(running.admin + "/readyz"))[0] == 503
        assert (await running.get(running.admin + "/healthz"))[0] == 200

    served(work)


def test_readiness_says_what_is_missing() -> None:
    async def work(running: Running) -> None:
        status, text = await running.get(running.admission + "/readyz")
        assert status == 200
        assert "[+] caBundle: not looked at" in text
        for published, line in (
            ((), "[-] caBundle: the MutatingWebhookConfiguration does not exist"),
            (("",), "[-] caBundle: does not verify"),
        ):
            running.state.published = published
            status, text = await running.get(running.admin + "/readyz")
            assert (status, line in text, text.endswith("not ready\n")) == (503, True, True)
        running.state.published = (AUTHORITY.certificate,)
        running.state.trouble("API server", "away", NOW)
        status, text = await running.get(running.admin + "/readyz")
        assert status == 200
        assert f"[!] API server: away, since {NOW:%Y-%m-%dT%H:%M:%SZ}" in text

    served(work)


def test_metrics_are_prometheus_text() -> None:
    async def work(running: Running) -> None:
        await running.post(review(POD))
        running.metrics.certificate(running.serving.not_after)
        status, text = await running.get(running.admin + "/metrics")
        assert status == 200
        assert 'nodelocaldns_webhook_decisions_total{profile="lean",reason="",result="injected"} 1.0' in text
        assert "nodelocaldns_webhook_certificate_expiry_timestamp_seconds 1." in text
        assert "nodelocaldns_webhook_duration_seconds_bucket" in text

    served(work)


def test_the_checks_of_readiness_are_metrics_too() -> None:
    async def work(running: Running) -> None:
        async def shown() -> dict[str, str]:
            lines = (await running.get(running.admin + "/metrics"))[1].splitlines()
            ready = [line for line in lines if line.startswith("nodelocaldns_webhook_ready{")]
            return dict(line.removeprefix('nodelocaldns_webhook_ready{check="').split('"} ') for line in ready)

        well = {"configuration": "1.0", "certificate": "1.0", "cluster DNS": "1.0", "running": "1.0"}
        assert await shown() == well  # nobody has looked at the caBundle yet
        running.state.published = ("",)
        assert await shown() == {**well, "caBundle": "0.0"}
        running.state.published = (AUTHORITY.certificate,)
        running.state.trouble("API server", "away", NOW)
        assert await shown() == {**well, "caBundle": "1.0"}

    served(work)


def test_what_can_be_decided_is_counted_from_zero_on() -> None:
    counted = next(each for each in Metrics().registry.collect() if each.name == "nodelocaldns_webhook_decisions")
    assert {sample.value for sample in counted.samples} == {0}
    assert {sample.labels["reason"] for sample in counted.samples} == {"", *Reason}
    assert {sample.labels["profile"] for sample in counted.samples} == {"", *Profile}


def test_a_new_certificate_is_for_new_connections() -> None:
    other = new_authority(NOW, timedelta(days=1))

    async def work(running: Running) -> None:
        connector = aiohttp.TCPConnector(ssl=running.context, limit=1)
        async with aiohttp.ClientSession(connector=connector) as kept:
            async with kept.post(running.admission + "/mutate", data=review(POD)) as reply:
                await reply.read()
            running.serving.replace(new_leaf(other, ["127.0.0.1"], NOW))
            async with kept.post(running.admission + "/mutate", data=review(POD)) as reply:
                assert reply.status == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await running.post(review(POD))
        running.context = ssl.create_default_context(cadata=other.certificate)
        assert (await running.post(review(POD))).status == 200

    served(work)


def test_before_the_first_certificate_no_connection_succeeds() -> None:
    async def serve() -> None:
        server = Server(State(DNS), Serving(), Metrics())
        port = await server.start_admission("127.0.0.1", 0)
        try:
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                await asyncio.open_connection("127.0.0.1", port, ssl=ssl._create_unverified_context())
        finally:
            await server.stop()

    asyncio.run(serve())


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (Pair("", ""), "."),
        (Pair(LEAF.certificate, "no key"), "."),
        (Pair(LEAF.certificate, AUTHORITY.key), "."),
        (Pair(LEAF.certificate, ENCRYPTED), "encrypted"),
    ],
)
def test_a_pair_that_cannot_be_served_is_refused_and_the_old_one_stays(pair: Pair, words: str) -> None:
    serving = Serving()
    serving.replace(LEAF)
    with pytest.raises(BadCertificateError, match=words):
        serving.replace(pair)
    assert (serving.chain, serving.is_valid(NOW)) == (LEAF.certificate, True)
    assert not serving.is_valid(NOW + timedelta(days=2))


def test_the_wildcard_takes_both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening_socket("127.0.0.1", 0) as one:
        assert one.getsockname()[0] == "127.0.0.1"
    monkeypatch.setattr("socket.has_dualstack_ipv6", lambda: False)
    with listening_socket("::", 0) as alone:
        assert alone.getsockname()[0] == "0.0.0.0"


def test_the_wildcard_takes_both_families_where_there_are_both() -> None:
    import socket

    if not socket.has_dualstack_ipv6():
        return
    with listening_socket("::", 0) as both, socket.socket() as client:
        client.connect(("127.0.0.1", both.getsockname()[1]))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_tls_are_refused(version: ssl.TLSVersion) -> None:
    assert Serving().context.minimum_version > version


def test_every_cipher_has_forward_secrecy_and_authenticates_what_it_encrypts() -> None:
    for cipher in Serving().context.get_ciphers():
        assert cipher["protocol"] == "TLSv1.3" or cipher["kea"] in {"kx-ecdhe", "kx-dhe"}, cipher["name"]
        assert cipher["aead"], cipher["name"]
