"""What a pod's containers find in their folders and in their environment, made as a kubelet makes it."""

import base64
import re
from pathlib import Path
from typing import Any

from tests.lab.apiserver import ApiServer

ENVIRONMENT_OF_THE_API_SERVER = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


class Volumes:
    """For one pod; files lie under `folder`, folders of the node under `host`."""

    def __init__(self, api: ApiServer, pod: dict[str, Any], folder: Path, host: Path) -> None:
        self._api = api
        self._pod = pod
        self._namespace = pod["metadata"]["namespace"]
        self._folder = folder
        self._host = host

    def mounts(self, container: dict[str, Any], resolv_conf: str) -> dict[str, tuple[Path, bool]]:
        """Where each of the container's folders is on this machine, and whether it may only be read."""
        self._folder.mkdir(parents=True, exist_ok=True)
        names = self._folder / "resolv.conf"
        names.write_text(resolv_conf)
        volumes = {volume["name"]: volume for volume in self._pod["spec"].get("volumes", [])}
        return {
            "/etc/resolv.conf": (names, True),
            **{
                mount["mountPath"]: (self._source(volumes[mount["name"]]), mount.get("readOnly", False))
                for mount in container.get("volumeMounts", [])
            },
        }

    def environment(self, container: dict[str, Any]) -> dict[str, str]:
        """The container's variables, those of Services among them."""
        known = dict(ENVIRONMENT_OF_THE_API_SERVER)
        if self._pod["spec"].get("enableServiceLinks", True):
            for service in self._api.must("GET", f"/api/v1/namespaces/{self._namespace}/services")["items"]:
                name = service["metadata"]["name"].upper().replace("-", "_")
                known[f"{name}_SERVICE_HOST"] = service["spec"]["clusterIP"]
                known[f"{name}_SERVICE_PORT"] = str(service["spec"]["ports"][0]["port"])
        for variable in container.get("env", []):
            text = variable.get("value", "")
            if field := variable.get("valueFrom", {}).get("fieldRef"):
                text = str(self._field(field["fieldPath"]))
            known[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda match: known.get(match[1], match[0]), text)
        return known

    def _source(self, volume: dict[str, Any]) -> Path:
        if "hostPath" in volume:
            folder = self._host / str(volume["hostPath"]["path"]).lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        folder = self._folder / str(volume["name"])
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755 if "emptyDir" not in volume else 0o777)
        for name, content in self._files(volume).items():
            fresh = folder / f".{name}"
            fresh.write_bytes(content)
            fresh.chmod(0o644)
            fresh.rename(folder / name)
        return folder

    def _files(self, volume: dict[str, Any]) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for source in volume.get("projected", {}).get("sources", [volume]):
            match source:
                case {"serviceAccountToken": token}:
                    files[token["path"]] = self._token(token).encode()
                case {"configMap": wanted}:
                    name = wanted["name"]
                    held = self._api.must("GET", f"/api/v1/namespaces/{self._namespace}/configmaps/{name}")
                    files |= {key: text.encode() for key, text in held["data"].items()}
                case {"secret": wanted}:
                    name = wanted.get("secretName") or wanted["name"]
                    held = self._api.must("GET", f"/api/v1/namespaces/{self._namespace}/secrets/{name}")
                    files |= {key: base64.b64decode(text) for key, text in held["data"].items()}
                case {"downwardAPI": wanted}:
                    for item in wanted["items"]:
                        files[item["path"]] = str(self._field(item["fieldRef"]["fieldPath"])).encode()
        return files

    def _token(self, wanted: dict[str, Any]) -> str:
        account = self._pod["spec"]["serviceAccountName"]
        metadata = self._pod["metadata"]
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec = {"expirationSeconds": wanted["expirationSeconds"], "boundObjectRef": bound}
        if audience := wanted.get("audience"):
            spec["audiences"] = [audience]
        made = self._api.must(
            "POST",
            f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{account}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
        )
        return str(made["status"]["token"])

    def _field(self, path: str) -> object:
        value: Any = self._pod
        for word in re.findall(r"\['([^']*)'\]|(\w+)", path):
            value = value.get(word[0] or word[1], "")
        return value
