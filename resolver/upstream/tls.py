"""DNS over TLS towards upstream servers (RFC 7858): a server is trusted by the name (or address) in its certificate.

The ssl module is imported when the first zone with transport tls asks for it.
"""

from functools import cache
from typing import TYPE_CHECKING

from resolver.config.values import Upstream

if TYPE_CHECKING:
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
