"""The pods of this node, watched: whose addresses they are, told whenever that changes.

Consumer of a `Reflector` on the pods of one node. Of a pod only its addresses are kept, its names, what controls it,
and whether it opted in. Pods with the node's network have no address of their own, and those that have ended none.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from resolver.kubernetes.slices import name_of

COLLECTION: Final = "/api/v1/pods"
FIELDS: Final = "spec.nodeName={}"
WHAT: Final = "pods of this node"
STATUS: Final = "nodelocaldns.io/status"
_ENDED = ("Succeeded", "Failed")
_HASH_LABEL = "pod-template-hash"

Document = dict[str, Any]
Whose = list[Any]
"""Pod, namespace, workload, lean: as `survey.Owner`."""


class Pods:
    """See the module. `tell` gets all owners by address."""

    def __init__(
        self, tell: Callable[[dict[str, Whose]], None], trouble: Callable[[str, str], None] = lambda _what, _why: None
    ) -> None:
        self._tell, self._trouble = tell, trouble
        self._pods: dict[str, dict[str, Whose]] = {}
        self._told: dict[str, Whose] | None = None

    def listed(self, documents: Iterator[Document]) -> None:
        """See `reflector.Consumer`."""
        self._pods = {name_of(document): read_pod(document) for document in documents}
        self._say()

    def changed(self, document: Document, *, gone: bool) -> None:
        """See `reflector.Consumer`."""
        name = name_of(document)
        self._pods.pop(name, None)  # the newest comes last, and has the address
        if not gone:
            self._pods[name] = read_pod(document)
        self._say()

    def watching(self, trouble: str) -> None:
        """See `reflector.Consumer`."""
        self._trouble(WHAT, trouble)

    def _say(self) -> None:
        owners = {address: whose for pod in self._pods.values() for address, whose in pod.items()}
        if owners != self._told:
            self._told = owners
            self._tell(owners)


def read_pod(document: Mapping[str, Any]) -> dict[str, Whose]:
    """Whose the addresses of a pod are; what is not as the API's types say is left out, and never raises."""
    metadata, spec, status = (_mapping(document.get(part)) for part in ("metadata", "spec", "status"))
    if spec.get("hostNetwork") is True or status.get("phase") in _ENDED:
        return {}
    name, namespace = str(metadata.get("name", "")), str(metadata.get("namespace", ""))
    whose = [name, namespace, _workload(metadata), _lean(metadata, spec)]
    ips = status.get("podIPs")
    addresses = [_mapping(each).get("ip") for each in ips] if isinstance(ips, list) else [status.get("podIP")]
    return {address: whose for address in addresses if isinstance(address, str) and address}


def _workload(metadata: Mapping[str, Any]) -> str:
    """What controls the pod, such as Deployment/web; of a ReplicaSet of a Deployment, that; "": nothing does."""
    references = metadata.get("ownerReferences")
    for reference in references if isinstance(references, list) else []:
        owner = _mapping(reference)
        if owner.get("controller") is not True:
            continue
        kind, name = str(owner.get("kind", "")), str(owner.get("name", ""))
        suffix = f"-{_mapping(metadata.get('labels')).get(_HASH_LABEL, '')}"
        if kind == "ReplicaSet" and len(suffix) > 1 and name.endswith(suffix):
            return f"Deployment/{name.removesuffix(suffix)}"
        return f"{kind}/{name}"
    return ""


def _lean(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    """Whether the webhook gave it one search domain."""
    searches = _mapping(spec.get("dnsConfig")).get("searches")
    injected = _mapping(metadata.get("annotations")).get(STATUS) == "injected"
    return injected and isinstance(searches, list) and len(searches) == 1


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
