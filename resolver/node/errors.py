"""Why something on the node could not be done, under the error types that NodeLocal DNSCache counts."""

from resolver.lean.words import Words


class ErrorType(Words):
    """The values of `errortype` in coredns_nodecache_setup_errors_total. `iptables` stands for the rules, ours of
    nftables; `iptables_lock` and `configmap` have nothing here that could fail.
    """

    INTERFACE_ADD = "interface_add"
    INTERFACE_CHECK = "interface_check"
    IPTABLES = "iptables"


class NodeError(Exception):
    """The message is a sentence that names the key of the configuration and what is missing."""

    def __init__(self, kind: ErrorType, message: str) -> None:
        super().__init__(message)
        self.kind = kind
