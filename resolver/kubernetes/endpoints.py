"""The endpoints of one Service, watched: which of them this node asks, told whenever that changes.

Consumer of a `Reflector` on its EndpointSlices. Of the Service itself only the address is wanted, once, and only where
the configuration does not give it.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from resolver.kubernetes.choice import choose
from resolver.kubernetes.slices import SERVICE_LABEL, Slice, name_of, read_slice

COLLECTION: Final = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
SELECTOR: Final = SERVICE_LABEL + "={}"

Told = dict[str, Any]
Document = dict[str, Any]


class Endpoints:
    """See the module. `tell` is called with what workers are told of a Service; `where` knows this node's zone."""

    def __init__(
        self,
        service: str,
        address: str,
        node: str,
        where: Callable[[], str],
        tell: Callable[[Told], None],
        trouble: Callable[[str, str], None] = lambda _service, _trouble: None,
        find_address: Callable[[], str] = lambda: "",
    ) -> None:
        self._service, self._address, self._node = service, address, node
        self._where, self._tell, self._trouble, self._find_address = where, tell, trouble, find_address
        self._slices: dict[str, Slice] = {}
        self._told: Told | None = None

    def listed(self, documents: Iterator[Document]) -> None:
        """See `reflector.Consumer`."""
        slices = {name_of(document): read_slice(document) for document in documents}
        if not self._address:
            self._address = self._find_address()
        self._slices = slices
        self._say()

    def changed(self, document: Document, *, gone: bool) -> None:
        """See `reflector.Consumer`."""
        if gone:
            self._slices.pop(name_of(document), None)
        else:
            self._slices[name_of(document)] = read_slice(document)
        self._say()

    def watching(self, trouble: str) -> None:
        """See `reflector.Consumer`."""
        self._trouble(self._service, trouble)

    def _say(self) -> None:
        endpoints = [each for one in self._slices.values() for each in one]
        chosen = choose(endpoints, self._node, self._where(), self._address)
        told = {
            "service": self._service,
            "address": self._address,
            "ready": len({each.address for each in endpoints if each.ready}),
            "endpoints": [[each.address, each.ports.tcp, each.ports.udp] for each in chosen],
        }
        if told != self._told:
            self._told = told
            self._tell(told)
