"""The node: addresses, ports, rules, and whether questions pass by conntrack."""

from collections.abc import Iterator

from resolver.config import Config, Transport
from resolver.doctor.asking import ask_identity
from resolver.doctor.findings import Finding, State, ok, problem
from resolver.doctor.ports import covers, holders
from resolver.node.errors import ErrorType, NodeError
from resolver.node.helper import TEST_BYPASS, Request
from resolver.node.jobs import Job
from resolver.node.plan import plan
from resolver.node.presence import count_rules, is_local
from resolver.node.rules import TABLE
from resolver.nodestate import BypassResult

_WILDCARDS = ("0.0.0.0", "::")


def look_at_node(config: Config) -> Iterator[Finding]:
    """All of it, in the order in which it has to be right."""
    yield from _addresses(config)
    answers = False
    for finding in _ports(config):
        answers = answers or finding.state is State.OK
        yield finding
    yield from _rules(config)
    if config.node.notrack and answers:
        yield from _bypass(config)


def _addresses(config: Config) -> Iterator[Finding]:
    for address in config.listen.addresses:
        if address in _WILDCARDS:
            continue
        if is_local(address):
            yield ok("address", f"{address} is an address of this network")
        elif config.node.manage_interface:
            yield problem(
                "address",
                f"{address} is on no interface here, and the resolver is to put it on {config.node.interface}",
                "is the resolver running, with the node's network (hostNetwork) and the capability NET_ADMIN? Its log "
                "says what it could not do. Run this command where it runs",
            )  # fmt: skip
        else:
            yield problem(
                "address", f"{address} is on no interface here",
                f"give it to one (ip address add {address} dev lo), or let the resolver do it "
                "(node.manageInterface: true)",
            )  # fmt: skip


def _ports(config: Config) -> Iterator[Finding]:
    listen = config.listen
    found = holders(listen.port)
    for address in listen.addresses:
        there = [each for each in found if covers(each.address, address)]
        others = [each for each in there if not each.ours and each.pid]
        if not there:
            yield problem(
                "port", f"nobody listens at {address} port {listen.port}",
                "start the resolver; if it runs, its log says why it cannot listen",
            )  # fmt: skip
        elif others:
            yield problem(
                "port", f"port {listen.port} of {address} is held by {others[0]}, listening at {others[0].address}",
                f"stop {others[0].program}, have it listen at its own addresses only, or choose another listen.port "
                "(pods can only ask port 53)",
            )  # fmt: skip
        else:
            yield from _answers(address, listen.port)
    admin = config.admin
    for each in holders(admin.port, ("tcp",)):
        if covers(each.address, admin.address) and each.pid and not each.ours:
            yield problem(
                "port", f"port {admin.port} of {admin.address}, for the admin endpoints, is held by {each}",
                "choose another admin.port; 9253 is also NodeLocal DNSCache's port for metrics",
            )  # fmt: skip


def _answers(address: str, port: int) -> Iterator[Finding]:
    at = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    for transport in (Transport.UDP, Transport.TCP):
        heard = ask_identity(at, port, transport)
        over = f"{address} port {port} over {transport.value.upper()}"
        if heard.rcode:
            yield ok("port", f"{over} answers in {1000 * heard.seconds:.1f} ms")
        else:
            yield problem(
                "port", f"{over} does not answer: {heard.why}",
                "is this address in listen.allowedClients, and does a firewall let port 53 in? If the process is "
                "stuck, /health of its admin port says so",
            )  # fmt: skip


def _rules(config: Config) -> Iterator[Finding]:
    wanted = plan(config.node, config.listen, config.admin).rules
    try:
        there = count_rules(TABLE)
    except OSError as error:
        if wanted is not None:
            says = f"the table {TABLE} of nftables cannot be looked at: {error.strerror}"
            yield Finding("rules", State.UNKNOWN, says, "look as root, or with the capability NET_ADMIN")
        return
    if wanted is None:
        if there:
            yield Finding(
                "rules", State.NOTE, f"nftables has {there} rules in a table {TABLE}, and node.notrack is off",
                f"if no other resolver set them: nft delete table inet {TABLE}",
            )  # fmt: skip
        return
    if there == wanted.total:
        yield ok("rules", f"nftables has the {there} rules that keep questions out of conntrack")
    else:
        yield problem(
            "rules", f"nftables has {there} of {wanted.total} rules in the table {TABLE}",
            "a running resolver puts them back within two seconds: is it running, with the capability NET_ADMIN? Who "
            "flushes the ruleset (nft flush ruleset, a firewall's reload)?",
        )  # fmt: skip


def _bypass(config: Config) -> Iterator[Finding]:
    reach = plan(config.node, config.listen, config.admin).reach
    try:
        said = Job(Request(TEST_BYPASS, ask=reach, port=config.listen.port), ErrorType.IPTABLES).wait()
    except NodeError as error:
        yield Finding("bypass", State.UNKNOWN, str(error), "look as root")
        return
    reason = str(said["reason"])
    if said["result"] == BypassResult.PASSED:
        yield ok("bypass", f"a question leaves no entry in conntrack{f' ({reason})' if reason else ''}")
    elif said["result"] == BypassResult.FAILED:
        yield problem(
            "bypass", reason,
            "some rule handles the packet before the notrack rules do, or they are gone: nft list ruleset; look for "
            "chains of type filter with a priority below -300",
        )  # fmt: skip
    else:
        yield Finding("bypass", State.UNKNOWN, reason, "look as root, on the node, with the resolver running")
