"""Mode files: the mounted certificate, watched, because cert-manager replaces it while we run.

Certificate and key are two files and change one after the other; a pair that does not belong together is refused by
`Serving.replace`, and the old one is served until the other file has followed.
"""

import logging
from datetime import UTC, datetime
from typing import Final

from resolver.events import event
from resolver.ops.watch import FileWatch, read_text
from webhook.metrics import Metrics
from webhook.pki import Pair
from webhook.serving import BadCertificateError, Serving
from webhook.state import State
from webhook.values import Tls

PART: Final = "certificate files"

_LOG = logging.getLogger("webhook.files")


class Files:
    """Keeps `serving` up to date with two files. `start` reads them; what is wrong with them is in /readyz."""

    def __init__(
        self, tls: Tls, serving: Serving, state: State, metrics: Metrics, *, interval_seconds: float = 1.0
    ) -> None:
        self._tls = tls
        self._serving = serving
        self._state = state
        self._metrics = metrics
        self._watches = [
            FileWatch(path, self._changed, self._changed, interval_seconds=interval_seconds)
            for path in (tls.cert_file, tls.key_file)
        ]

    def start(self) -> None:
        """Read both files, and again whenever one of them changes, on the running loop."""
        self._read()
        for watch in self._watches:
            watch.start()

    def close(self) -> None:
        """Stop watching."""
        for watch in self._watches:
            watch.close()

    def _changed(self, text: str) -> None:
        self._read()

    def _read(self) -> None:
        try:
            pair = Pair(read_text(self._tls.cert_file), read_text(self._tls.key_file))
            if pair.certificate == self._serving.chain:
                self._state.well(PART)
                return
            self._serving.replace(pair)
        except (OSError, BadCertificateError) as error:
            if self._state.trouble(PART, f"not usable: {error}", datetime.now(UTC)):
                event(_LOG, logging.ERROR, "the certificate cannot be used", reason=str(error))
            return
        self._state.well(PART)
        self._metrics.certificate(self._serving.not_after)
        event(_LOG, logging.INFO, "a certificate was taken into use", until=str(self._serving.not_after))
