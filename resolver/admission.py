"""Which clients may ask at all: `listen.allowedClients`. Pure."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from ipaddress import IPv4Network, IPv6Network

    Clients = tuple[IPv4Network | IPv6Network, ...]

_MAX_REMEMBERED = 4096


class Admission:
    """The verdict on each address is found once and remembered for those that ask most lately."""

    def __init__(self, allowed: "Clients") -> None:
        self._allowed = allowed
        self._verdicts: MutableMapping[str, bool] = {}
        """Empty until the first verdict makes it an LRU cache."""

    def allows(self, client: str) -> bool:
        """Whether one of the networks holds this IP address."""
        verdict = self._verdicts.get(client)
        if verdict is None:
            from ipaddress import ip_address  # noqa: PLC0415 - as below

            from cachetools import LRUCache  # noqa: PLC0415 - 0.5 MiB, both, that nobody needs where all are admitted

            address = ip_address(client)
            verdict = any(address in network for network in self._allowed if network.version == address.version)
            if not self._verdicts:
                self._verdicts = LRUCache(_MAX_REMEMBERED)
            self._verdicts[client] = verdict
        return verdict
