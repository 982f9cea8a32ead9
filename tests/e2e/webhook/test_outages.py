"""What the webhook does when its surroundings change: the API server goes, the cluster's DNS moves, SIGTERM comes."""

import http.client
import json
import re
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cases.injection import CASES
from tests.lab.apiserver import ApiServer, api_server
from tests.lab.promql import selectors
from tests.lab.waiting import wait_until
from tests.lab.webhook import Webhook, register, webhooks
from tests.unit.chart.rules import alerts, rules
from webhook.registration import POD_ENTRY

pytestmark = [pytest.mark.e2e, pytest.mark.needs("go")]

POD = CASES[0].pod("web-")
UNVERIFIED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
UNVERIFIED.check_hostname = False
UNVERIFIED.verify_mode = ssl.CERT_NONE


def connect(webhook: Webhook) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection("127.0.0.1", webhook.port, timeout=10, context=UNVERIFIED)


def review(pod: dict[str, Any], namespace: str = "plain") -> str:
    request = {
        "uid": "1",
        "operation": "CREATE",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": namespace,
        "object": pod,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})


def call(connection: http.client.HTTPSConnection, body: str) -> tuple[dict[str, Any], str]:
    """The response to a review, and what is said about the connection."""
    connection.request("POST", "/mutate", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    assert reply.status == 200
    return json.loads(reply.read())["response"], reply.headers.get("Connection", "")


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[ApiServer, Webhook]]:
    """An API server of the test's own, with a webhook."""
    from tests.e2e.webhook.conftest import prepare

    (tmp_path / "api").mkdir()
    with api_server(tmp_path / "api") as server:
        prepare(server)
        tls = {"mode": "self", "names": ["127.0.0.1"], "caLifetime": "2m"}  # so that it looks every three seconds
        with webhooks(server, tmp_path, "webhook", tls=tls) as (replica,):
            register(server, replica.port)
            replica.wait_until_ready()
            yield server, replica


def test_without_the_api_server_what_was_known_last_still_holds(alone: tuple[ApiServer, Webhook]) -> None:
    api, webhook = alone
    api.api.kill()
    wait_until(lambda: "last known" in webhook.get("/readyz")[1], "the webhook to notice", 60.0)
    status, detail = webhook.get("/readyz")
    assert status == 200, detail
    assert "since 20" in detail
    connection = connect(webhook)
    response, _ = call(connection, review(POD))
    connection.close()
    assert response["patchType"] == "JSONPatch"
    api.start_api()
    wait_until(lambda: "last known" not in webhook.get("/readyz")[1], "the webhook to find it again", 60.0)


def test_pods_that_pass_a_dead_webhook_are_counted_where_the_alert_looks(alone: tuple[ApiServer, Webhook]) -> None:
    api, webhook = alone
    assert webhook.metric("nodelocaldns_webhook_ready", check="caBundle") == 1
    assert webhook.metric("nodelocaldns_webhook_api_server_up") == 1
    webhook.process.kill()
    assert api.create_pod("plain", POD, "?dryRun=All").status == 201
    looked_at = selectors(alerts(rules())["NodeLocalDNSWebhookFailOpen"]["expr"])
    text = api.call("GET", "/metrics").document["text"]
    counted = [line for line in text.splitlines() if line.startswith(f"{looked_at[0].metric}{{")]
    assert counted == [f'{looked_at[0].metric}{{name="{POD_ENTRY}",type="admit"}} 1']
    assert re.fullmatch("(pods|namespaces)[.]nodelocaldns[.]io", POD_ENTRY)


def test_the_cluster_dns_is_followed_when_it_moves(alone: tuple[ApiServer, Webhook]) -> None:
    api, _ = alone
    path = "/api/v1/namespaces/kube-system/services"
    service = api.must("GET", f"{path}/kube-dns")
    api.must("DELETE", f"{path}/kube-dns")
    spec = {"clusterIP": "10.96.0.53", "ports": service["spec"]["ports"]}
    api.must("POST", path, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns"}, "spec": spec})

    def nameservers() -> list[str]:
        created = api.create_pod("plain", POD, "?dryRun=All").document
        return list((created["spec"].get("dnsConfig") or {}).get("nameservers", []))

    wait_until(lambda: nameservers() == ["169.254.20.10", "10.96.0.53"], "pods with the new address")


def test_sigterm_keeps_answering_and_closes_connections_until_the_end(api: ApiServer, tmp_path: Path) -> None:
    with webhooks(api, tmp_path, "leaving", listen={"drain": "10s"}) as (webhook,):
        register(api, webhook.port)
        webhook.wait_until_ready()
        kept = connect(webhook)
        assert call(kept, review(POD))[1] == ""
        webhook.process.signal(signal.SIGTERM)
        wait_until(lambda: webhook.get("/readyz")[0] == 503, "readiness to end")
        response, connection = call(kept, review(POD))
        assert (response["allowed"], "patch" in response, connection) == (True, True, "close")
        new = connect(webhook)
        assert call(new, review(POD))[1] == "close"
        for each in (kept, new):
            each.close()
        assert webhook.process.wait() == 0
        with socket.socket() as gone:
            assert gone.connect_ex(("127.0.0.1", webhook.port)) != 0


def test_a_certificate_from_files_is_replaced_without_closing_the_listener(api: ApiServer, tmp_path: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from webhook.pki import new_authority, new_leaf

    def write(name: str) -> str:
        now = datetime.now(UTC)
        authority = new_authority(now, timedelta(days=1))
        pair = new_leaf(authority, [name, "127.0.0.1"], now)
        (tmp_path / "tls.crt").write_text(pair.certificate)
        (tmp_path / "tls.key").write_text(pair.key)
        return authority.certificate

    import base64

    files = {"mode": "files", "names": [], "certFile": str(tmp_path / "tls.crt"), "keyFile": str(tmp_path / "tls.key")}
    first = write("first")
    with webhooks(api, tmp_path, "files", tls=files, dns={"clusterDNS": ["10.96.0.10"]}) as (webhook,):
        register(api, webhook.port, base64.b64encode(first.encode()).decode())
        webhook.wait_until_ready()
        kept = connect(webhook)
        call(kept, review(POD))
        second = write("second")
        trusting = ssl.create_default_context(cadata=second)

        def verified() -> bool:
            with socket.create_connection(("127.0.0.1", webhook.port)) as plain:
                try:
                    with trusting.wrap_socket(plain, server_hostname="second"):
                        return True
                except ssl.SSLError:
                    return False

        wait_until(verified, "the new certificate")
        assert "patch" in call(kept, review(POD))[0]
        kept.close()
        wait_until(lambda: "does not verify the certificate" in webhook.get("/readyz")[1], "the detail")
        assert webhook.get("/readyz")[0] == 503
