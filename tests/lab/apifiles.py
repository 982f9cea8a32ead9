"""What an API server on loopback reads, and what its clients do: who is who, what is noted, how it is reached."""

from pathlib import Path

import yaml

WEBHOOK_USER = "nodelocaldns-webhook"


def write_rights(folder: Path, token: str, webhook_token: str) -> None:
    """Write tokens.csv, with an administrator and the webhook's user, and audit.yaml: calls that are about pods."""
    (folder / "tokens.csv").write_text(f'{token},admin,1,"system:masters"\n{webhook_token},{WEBHOOK_USER},2\n')
    rules = [{"level": "Metadata", "resources": [{"group": "", "resources": ["pods"]}]}, {"level": "None"}]
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules}
    (folder / "audit.yaml").write_text(yaml.safe_dump(policy))


def write_kubeconfig(path: Path, port: int, token: str) -> None:
    """Write how a client reaches the server whose certificate lies beside the file, and what it shows there."""
    reached = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(path.with_name("server.crt"))}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "admin"}}],
        "clusters": [{"name": "tests", "cluster": reached}],
        "users": [{"name": "admin", "user": {"token": token}}],
    }
    path.write_text(yaml.safe_dump(document))
