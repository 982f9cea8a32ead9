"""What the admin endpoints are asked and what they say, and which handler a request is for. No I/O."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"
_MOST_PARAMETERS = 16
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/")
"""A target of these is its path."""


class Request(NamedTuple):
    """What a client asks for."""

    method: str
    """As in the routes: HEAD comes as GET."""
    path: str
    query: Mapping[str, str]
    peer: str
    """The client's IP address; empty if it is gone already."""


class Response(NamedTuple):
    """What it gets; a body of text ends with a newline on the wire."""

    status: int
    body: str | bytes
    content_type: str = TEXT
    headers: tuple[tuple[str, str], ...] = ()


class HttpProblem(Exception):
    """A request that cannot be served; handlers raise it, too. The message goes to the client."""

    def __init__(self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.response = Response(status, message, headers=headers)


Handler = Callable[[Request], Awaitable[Response]]
Routes = Mapping[tuple[str, str], Handler]
"""From (method, path) to handler. HEAD is served by the handler for GET."""


def read_request(method: str, target: str, peer: str) -> Request:
    """The request for a target in origin form (RFC 9112 section 3.2.1); raises HttpProblem if it cannot be read."""
    asked = "GET" if method == "HEAD" else method
    if _PLAIN.issuperset(target) and not target.startswith("//"):
        return Request(asked, target, {}, peer)
    from urllib.parse import parse_qsl, unquote, urlsplit  # noqa: PLC0415 - 0.3 MiB that probes and scrapes do without

    try:
        parts = urlsplit(target)
        parameters = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS, errors="strict")
    except ValueError as error:
        raise HttpProblem(400, f"the request target cannot be read: {error}") from None
    query = dict(parameters)
    if len(query) < len(parameters):
        raise HttpProblem(400, "a parameter is given twice")
    return Request(asked, unquote(parts.path), query, peer)


def find_handler(routes: Routes, request: Request) -> Handler:
    """Who serves a request; raises HttpProblem that says what could be asked instead."""
    handler = routes.get((request.method, request.path))
    if handler is not None:
        return handler
    methods = sorted(method for method, path in routes if path == request.path)
    if methods:
        allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
        raise HttpProblem(405, f"{request.path} can be asked with {allowed}", (("Allow", allowed),))
    raise HttpProblem(404, "there is nothing here; try " + ", ".join(sorted({path for _, path in routes})))
