"""Which clients may ask at all: `listen.allowedClients`. Pure."""

from ipaddress import IPv4Network, IPv6Network, ip_address

from cachetools import LRUCache

Clients = tuple[IPv4Network | IPv6Network, ...]
_MAX_REMEMBERED = 4096


class Admission:
    """The verdict on each address is found once and remembered for those that ask most lately."""

    def __init__(self, allowed: Clients) -> None:
        self._allowed = allowed
        self._verdicts: LRUCache[str, bool] = LRUCache(_MAX_REMEMBERED)

    def allows(self, client: str) -> bool:
        """Whether one of the networks holds this IP address."""
        verdict = self._verdicts.get(client)
        if verdict is None:
            address = ip_address(client)
            verdict = any(address in network for network in self._allowed if network.version == address.version)
            self._verdicts[client] = verdict
        return verdict
