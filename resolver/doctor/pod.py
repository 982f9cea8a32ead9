"""A pod, by the ID of one of its processes or by its network namespace: its DNS settings, and its way here."""

import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from resolver.config import Transport, parse_resolv_conf, parse_searches
from resolver.config.values import Listen
from resolver.doctor.asking import ask_identity
from resolver.doctor.findings import Finding, State, ok, problem

_CLONE_NEWNET = 0x40000000
_CHECK = "pod"
Value = TypeVar("Value")


class Pod(NamedTuple):
    """Where to look."""

    network: Path
    resolv_conf: Path


def find_pod(text: str) -> Pod:
    """By a process ID, the name of a network namespace of `ip netns`, or the path of one; raises OSError."""
    if text.isdigit():
        pod = Pod(Path("/proc", text, "ns/net"), Path("/proc", text, "root/etc/resolv.conf"))
    else:
        path = Path(text) if "/" in text else Path("/run/netns", text)
        pod = Pod(path, Path("/etc/netns", path.name, "resolv.conf"))
    os.stat(pod.network)  # noqa: PTH116 - a link of /proc that leads nowhere pathlib could follow
    return pod


def look_at_pod(pod: Pod, listen: Listen) -> list[Finding]:
    """Its settings, and whether the resolver answers in its network."""
    try:
        text = pod.resolv_conf.read_text(errors="replace")
    except OSError as error:
        settings = [
            Finding(
                _CHECK, State.UNKNOWN, f"{pod.resolv_conf} cannot be read: {error.strerror}",
                "give the ID of a process in the pod, and look as root",
            )
        ]  # fmt: skip
    else:
        settings = settings_of(text, listen)
    return [*settings, *_way(pod, listen)]


def settings_of(text: str, listen: Listen) -> list[Finding]:
    """What a pod's resolv.conf says about asking here. Pure."""
    servers, searches = parse_resolv_conf(text), parse_searches(text)
    ours = [server for server in servers if server in listen.addresses]
    shown = ", ".join(servers) or "nobody"
    if not ours:
        return [
            problem(
                _CHECK, f"its resolv.conf asks {shown}, and not this node's resolver",
                'annotate the pod (its template) with nodelocaldns.io/inject: "true" and create it anew: settings of a '
                "running pod do not change. If it is annotated and new, the warning at its creation, or the audit log "
                "of the API server (pods.nodelocaldns.io/reason), says why it was left as it is",
            )
        ]  # fmt: skip
    found = [ok(_CHECK, f"its resolv.conf asks {shown}, and searches {' '.join(searches) or 'nothing'}")]
    if servers[0] not in listen.addresses:
        found.append(problem(_CHECK, f"it asks {servers[0]} first", f"{ours[0]} must be the first nameserver"))
    if len(servers) == 1:
        found.append(
            Finding(
                _CHECK, State.NOTE, "it has no second nameserver: without this resolver it has no DNS",
                "dns.clusterDNS of the webhook (or the discovery of it) gives pods the cluster's DNS as the second one",
            )
        )  # fmt: skip
    return [*found, *_slow(servers, searches, _options(text))]


def _slow(servers: Sequence[str], searches: Sequence[str], options: Mapping[str, str]) -> Iterator[Finding]:
    """What makes look-ups take longer than they need to."""
    ndots = options.get("ndots", "1")
    if ndots.isdigit() and int(ndots) > 2:
        yield Finding(
            _CHECK, State.NOTE, f"ndots is {ndots}: names with up to {int(ndots) - 1} dots go through "
            f"{len(searches)} search domains first, each with a question for A and one for AAAA",
            "the webhook sets 2; searchCompletion of the zone takes the steps here, in one question",
        )  # fmt: skip
    timeout = options.get("timeout", "5")
    if len(servers) > 1 and timeout.isdigit() and int(timeout) > 1:
        yield Finding(
            _CHECK, State.NOTE, f"timeout is {timeout} s: so long it waits for this resolver, should that be gone",
            "options timeout:1 attempts:1, as the webhook sets them",
        )  # fmt: skip


def _options(text: str) -> dict[str, str]:
    words = [word for line in text.splitlines() if line.startswith("options") for word in line.split()[1:]]
    return {name: value for name, _, value in (word.partition(":") for word in words)}


def _way(pod: Pod, listen: Listen) -> list[Finding]:
    """Ask from within the pod's network."""
    found = []
    for address in listen.addresses:
        for transport in (Transport.UDP, Transport.TCP):
            over = f"over {transport.value.upper()} from the pod's network"
            try:
                heard = _inside(pod.network, lambda to=address, by=transport: ask_identity(to, listen.port, by))  # type: ignore[misc]
            except OSError as error:
                fix = "look as root: entering another network needs CAP_SYS_ADMIN"
                says = f"its network cannot be entered: {error.strerror}"
                return [Finding(_CHECK, State.UNKNOWN, says, fix)]
            if heard.rcode:
                found.append(ok(_CHECK, f"{address} answers {over} in {1000 * heard.seconds:.1f} ms"))
            else:
                found.append(
                    problem(
                        _CHECK, f"{address} does not answer {over}: {heard.why}",
                        f"a NetworkPolicy with egress rules must allow {address} at port {listen.port}, UDP and TCP; "
                        "with a CNI that replaces the host's routing see docs/node.md",
                    )
                )  # fmt: skip
    return found


def _inside(network: Path, what: Callable[[], Value]) -> Value:
    """Do it in a thread that has moved to that network; raises OSError."""
    done: list[Value] = []
    failed: list[OSError] = []

    def work() -> None:
        try:
            _enter(network)
            done.append(what())
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="in the pod's network")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def _enter(network: Path) -> None:
    descriptor = os.open(network, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(descriptor)
