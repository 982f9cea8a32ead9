"""The addresses of Services: what kube-proxy does on a node, for one network namespace, in nftables.

A Service without endpoints refuses. Addresses and endpoints are those that the API server and its controllers know
at the time of `update`.
"""

from typing import Any

from tests.lab.apiserver import SERVICE_RANGE, ApiServer
from tests.lab.netns import Namespace, run

_TABLE = "ip services"


class Proxy:
    """Rules in one namespace, written anew when something changed."""

    def __init__(self, api: ApiServer, node: Namespace) -> None:
        self._api = api
        self._node = node
        self._rules = ""

    def update(self) -> None:
        """Have the rules follow the cluster."""
        services = self._api.must("GET", "/api/v1/services")["items"]
        slices = self._api.must("GET", "/apis/discovery.k8s.io/v1/endpointslices")["items"]
        lines = [line for service in services for line in _rules(service, slices)]
        rules = "\n".join(sorted(lines))
        if rules == self._rules:
            return
        hooks = "".join(
            f"chain {hook} {{ type nat hook {hook} priority -100; jump services; }}\n"
            for hook in ("prerouting", "output")
        )
        refused = "".join(
            f"chain without_{hook} {{ type filter hook {hook} priority 0; ip daddr {SERVICE_RANGE} reject; }}\n"
            for hook in ("forward", "output")
        )
        table = f"table {_TABLE} {{ chain services {{\n{rules}\n}}\n{hooks}{refused} }}"
        text = f"table {_TABLE} {{}}\ndelete table {_TABLE}\n{table}\n"
        run("ip", "netns", "exec", self._node.name, "nft", "-f", "-", standard_input=text)
        self._rules = rules


def _rules(service: dict[str, Any], slices: list[dict[str, Any]]) -> list[str]:
    address = service["spec"].get("clusterIP", "None")
    if ":" in address or address in ("", "None"):
        return []
    rules = []
    for port in service["spec"]["ports"]:
        targets = sorted(
            f"{endpoint['addresses'][0]} . {target['port']}"
            for each in slices
            if _belongs(each, service)
            for target in each["ports"] or []
            if target.get("name", "") == port.get("name", "")
            for endpoint in each["endpoints"] or []
            if endpoint["conditions"].get("ready")
        )
        match = f"ip daddr {address} {port['protocol'].lower()} dport {port['port']}"
        if targets:
            turns = ", ".join(f"{turn} : {target}" for turn, target in enumerate(targets))
            rules.append(f"{match} dnat to numgen inc mod {len(targets)} map {{ {turns} }}")
    return rules


def _belongs(endpoints: dict[str, Any], service: dict[str, Any]) -> bool:
    metadata, owner = endpoints["metadata"], service["metadata"]
    return (metadata["namespace"], metadata["labels"].get("kubernetes.io/service-name")) == (
        owner["namespace"],
        owner["name"],
    )
