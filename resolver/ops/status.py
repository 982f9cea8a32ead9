"""/ and /status: a page that shows how the resolver is, and the figures that it asks for every two seconds.

The page is three files that a browser needs nothing else for: no build, no framework, nothing from outside. They are
read when somebody asks, and so is the module that makes the figures imported: a resolver that nobody looks at pays
nothing for them. What is allowed to the page is told to the browser (Content-Security-Policy): its own files, and to
ask where it came from.
"""

import os
from time import monotonic
from typing import Final

from resolver.lean.jsontext import dumps
from resolver.ops.health import Readiness
from resolver.ops.requests import JSON, Handler, HttpProblem, Request, Response, Routes
from resolver.ops.sources import Sources

_FOLDER: Final = os.path.join(os.path.dirname(__file__), "page")  # noqa: PTH118, PTH120 - pathlib is 0.3 MiB
_FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
_HEADERS: Final = (
    ("Content-Security-Policy", "; ".join(_POLICY)),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


class StatusPage:
    """The handlers for the page and its figures."""

    def __init__(self, sources: Sources, readiness: Readiness) -> None:
        self._sources = sources
        self._readiness = readiness
        self._since = monotonic()

    @property
    def routes(self) -> Routes:
        """What to serve of this process."""
        return {("GET", "/status"): self.show}

    async def show(self, request: Request) -> Response:
        """The figures; with `?changes=true` the latest changes of state, too, which name servers and clients."""
        if set(request.query) - {"changes"} or request.query.get("changes", "true") != "true":
            raise HttpProblem(400, "known here: ?changes=true")
        from resolver.ops.figures import figures  # noqa: PLC0415 - for those who look

        shown = figures(self._sources, self._readiness, self._since)
        if request.query:
            shown["changes"] = self._sources.changes()
        return Response(200, dumps(shown), JSON)


def page_routes() -> Routes:
    """The files of the page: the same, whichever worker serves them."""
    return {("GET", path): _file(*file) for path, file in _FILES.items()}


def _file(name: str, content_type: str) -> Handler:
    async def show(_: Request) -> Response:
        # Without a thread: it is a few KiB, and the kernel has them.
        return Response(200, _read(os.path.join(_FOLDER, name)), content_type, _HEADERS)  # noqa: PTH118

    return show


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - see above
        return file.read()
