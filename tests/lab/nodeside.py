"""What `ip`, `nft` and `conntrack` say of a namespace that plays the node, and a small server to ask on it."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

from tests.lab.netns import Namespace

FOLLOW = "table inet follow { chain input { type filter hook input priority 0; ct state established accept; }; }"
"""A rule that needs conntrack, as every node with kube-proxy has: without any, the kernel follows nothing."""


def sight(namespace: Namespace) -> str:
    """The node's devices with their addresses, and all rules; without the numbers that differ each time."""
    shown = [
        (
            link["ifname"],
            sorted(link["flags"]),
            sorted(each["local"] for each in link["addr_info"] if each["scope"] != "link"),
        )
        for link in json.loads(namespace.run("ip", "-json", "addr").stdout)
    ]
    return f"{shown}\n{rules(namespace)}"


def rules(namespace: Namespace) -> str:
    """All rules of nftables."""
    return namespace.run("nft", "list", "ruleset").stdout


def addresses(namespace: Namespace, device: str) -> set[str]:
    """The addresses of a device, except those that the kernel gives it."""
    links = json.loads(namespace.run("ip", "-json", "addr", "show", device).stdout)
    return {each["local"] for link in links for each in link["addr_info"] if each["scope"] != "link"}


def tracked(namespace: Namespace, port: int) -> list[str]:
    """What conntrack follows to or from this port."""
    listed = namespace.run("conntrack", "-L").stdout + namespace.run("conntrack", "-L", "-f", "ipv6").stdout
    # Whether the first command shows both families depends on its version. A connection is known by its addresses and
    # ports; its age and its state may differ between the two.
    lines = (line for line in listed.splitlines() if f"port={port} " in line)
    return sorted({tuple(word for word in line.split() if "=" in word): line for line in lines}.values())


@contextlib.contextmanager
def echo(namespace: Namespace, address: str, port: int = 53) -> Iterator[None]:
    """A server in the namespace that sends back what it gets, over UDP and TCP."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with namespace.entered():
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        listener = socket.socket(family, socket.SOCK_STREAM)
    for sock in (datagrams, listener):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
    listener.listen()
    servers = (
        threading.Thread(target=_echo_datagrams, args=(datagrams,)),
        threading.Thread(target=_echo_streams, args=(listener,)),
    )
    for server in servers:
        server.start()
    try:
        yield
    finally:
        for sock in (datagrams, listener):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes whoever waits in it
        for server in servers:
            server.join()
        datagrams.close()
        listener.close()


def _echo_datagrams(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            packet, sender = sock.recvfrom(4096)
            if not packet:
                return
            sock.sendto(packet, sender)


def _echo_streams(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                while packet := connection.recv(4096):
                    connection.sendall(packet)


def converse(
    namespace: Namespace, address: str, times: int, port: int = 53, *, tcp: bool = False, patience_seconds: float = 30.0
) -> int:
    """How many of so many messages from a socket each came back, up to the first that did not."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    replies = 0
    for number in range(times):
        with namespace.entered():
            sock = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        with sock, contextlib.suppress(OSError):
            sock.settimeout(patience_seconds)
            sock.connect((address, port))
            sock.sendall(b"a question")
            replies += sock.recv(4096) == b"a question"
        if replies <= number:
            break
    return replies
