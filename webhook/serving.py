"""The certificate in use: new connections get the newest, those that are open keep theirs, the listener never closes.

TLS asks a callback for each new connection, and the callback puts the context of the newest certificate in. So a
certificate with the wrong key is refused while it is loaded, before any client could see half of it.
"""

import os
import ssl
from datetime import datetime

from webhook.pki import Pair, valid_between


class BadCertificateError(ValueError):
    """A certificate that cannot be served; the message says why."""


class Serving:
    """`context` is for the listener; before the first `replace` no connection succeeds."""

    def __init__(self) -> None:
        self.context = _context()
        self.context.sni_callback = self._choose
        self._current: ssl.SSLContext | None = None
        self.chain = ""
        self.not_before: datetime | None = None
        self.not_after: datetime | None = None

    def replace(self, pair: Pair) -> None:
        """Serve this one from now on; raises BadCertificateError and goes on serving the old one."""
        context = _context()
        try:
            between = valid_between(pair.certificate)
            _load(context, pair)
        except (ValueError, OSError) as error:
            raise BadCertificateError(str(error) or "certificate and key do not belong together") from None
        self._current, self.chain = context, pair.certificate
        self.not_before, self.not_after = between

    def is_valid(self, now: datetime) -> bool:
        """Whether there is a certificate and this is its time."""
        return bool(self.not_before and self.not_after and self.not_before <= now < self.not_after)

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> int | None:
        if self._current is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._current
        return None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")  # of 1.2; those of 1.3 are all of this kind
    # Tickets belong to a context: a client that comes back after a rotation would only find out that its is void.
    context.num_tickets = 0
    return context


def _load(context: ssl.SSLContext, pair: Pair) -> None:
    """OpenSSL reads keys from files only; this one is memory and has no name."""
    memory = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(memory, f"{pair.key}\n{pair.certificate}".encode())
        context.load_cert_chain(f"/proc/self/fd/{memory}", password=_no_password)
    finally:
        os.close(memory)


def _no_password() -> str:
    raise ValueError("the key is encrypted")  # otherwise OpenSSL would ask on the terminal
