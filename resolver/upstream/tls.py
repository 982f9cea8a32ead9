"""DNS over TLS towards upstream servers (RFC 7858): a server is trusted by the name (or address) in its certificate.

The ssl module is imported when the first zone with transport tls asks for it, which may be after a reload: the loop was
imported without it (`resolver.loops`), so TLS is put between a plain connection and its protocol here. What does it is
asyncio's own class for that, which runs on any loop; uvloop's is the same in Cython, tied to the ssl that uvloop saw.
"""

import asyncio
import socket
from functools import cache
from importlib import reload
from typing import TYPE_CHECKING

from resolver.config.values import Upstream

if TYPE_CHECKING:
    from asyncio.sslproto import SSLProtocol
    from ssl import SSLContext

ALPN = ["dot"]  # the registered protocol ID of DNS over TLS (RFC 7858 section 3.1 and IANA)


@cache
def tls_context() -> "SSLContext":
    """What all channels share: certificate and name are verified, TLS 1.2 or newer (RFC 8310 section 8, RFC 9325).

    Trusted are the certificate authorities of the system, or those in the file that SSL_CERT_FILE names. One context
    for all, because each holds its own copy of them (some MiB).
    """
    import ssl  # noqa: PLC0415 - only resolvers with a tls zone pay for it

    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(ALPN)
    return context


def server_name(upstream: Upstream) -> str:
    """What the certificate must be for: the configured name, or else the address (without its scope)."""
    return upstream.tls_name or upstream.address.partition("%")[0]


async def connect_tls(protocol: asyncio.Protocol, stream: socket.socket, context: "SSLContext", name: str) -> None:
    """Shake hands on a connected socket, on the running loop; then `protocol` hears `connection_made`.

    Raises OSError (ssl.SSLError is one) when that fails, ValueError for a name that no certificate can have.
    """
    import ssl  # noqa: PLC0415 - as above

    try:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=name)
    except ValueError:  # raised from within connection_made, where it will happen again, nobody would hear it
        stream.close()
        raise
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    layer = _layer()(loop, protocol, context, done, server_hostname=name)
    transport, _ = await loop.create_connection(lambda: layer, sock=stream)
    try:
        await done
    except BaseException:
        transport.abort()
        raise


@cache
def _layer() -> "type[SSLProtocol]":
    from asyncio import sslproto  # noqa: PLC0415 - as above

    if getattr(sslproto, "ssl", None) is None:  # imported when there was no ssl to be had
        reload(sslproto)
    return sslproto.SSLProtocol
