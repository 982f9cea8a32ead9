#!/usr/bin/python3.11 -ISOO
"""For runtimes that ask the image how it is (Docker, Podman); a kubelet asks the programs themselves.

Whichever program runs here answers on its usual admin port on loopback: the resolver on 9253, the webhook on 9254.
Exit status 0: it says that it is well; 1: it does not, or nobody answers.
"""

import socket
import sys

PAGES = ((9253, b"/health"), (9254, b"/healthz"))


def is_well(port: int, path: bytes) -> bool:
    """Whether the page says 200. OSError: nobody answers there."""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return connection.recv(64).split(b" ")[1:2] == [b"200"]


def main() -> int:
    """The exit status."""
    for port, path in PAGES:
        try:
            return 0 if is_well(port, path) else 1
        except OSError:
            continue
    return 1


if __name__ == "__main__":
    sys.exit(main())
