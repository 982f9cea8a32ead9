"""`nodelocaldns-webhook --audit` on a cluster with pods from before the webhook."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cases.injection import CASES
from tests.lab.apiserver import ApiServer
from tests.lab.loopback import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.needs("go")]


def audit(api: ApiServer, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    config = folder / "webhook.yaml"
    config.write_text("dns: {clusterDNS: [10.96.0.10]}\ncluster: {excludedNamespaces: [excluded]}\n")
    return subprocess.run(
        [sys.executable, "-m", "webhook", "--config", str(config), "--audit", *options],
        env={**os.environ, "KUBECONFIG": str(api.kubeconfig)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_pods_from_before_the_webhook_are_listed_with_the_reason(api: ApiServer, tmp_path: Path) -> None:
    clean = audit(api, tmp_path)
    assert (clean.returncode, clean.stderr) == (0, "")
    old, unasked, injected, kept, *_ = (
        CASES[0],
        CASES[1],
        next(case for case in CASES if case.left == "already-injected"),
        next(case for case in CASES if case.left == "own-dns-config"),
    )
    for name, case in (("old", old), ("unasked", unasked), ("injected", injected), ("kept", kept)):
        assert api.create_pod("plain", case.pod(name)).status == 201
    api.create_pod("opted-in", unasked.pod("by-namespace"))
    api.create_pod("excluded", old.pod("excluded"))
    found = audit(api, tmp_path)
    assert found.returncode == 1
    assert found.stdout.splitlines() == [
        "NAMESPACE  POD           REASON",
        "opted-in   by-namespace  not-called",
        "plain      kept          own-dns-config",
        "plain      old           not-called",
    ]
    assert len(audit(api, tmp_path, "--namespace", "plain").stdout.splitlines()) == 3
