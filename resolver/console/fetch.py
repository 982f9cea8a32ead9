"""One page of the admin endpoints as JSON."""

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_PATIENCE_SECONDS = 5.0


class ConsoleError(Exception):
    """The resolver could not be asked, or would not say; the message is for people."""


def fetch(admin: str, path: str, token_file: str = "") -> Mapping[str, Any]:
    """The page at `path`; raises ConsoleError."""
    parts = urlsplit(admin)
    try:
        if parts.scheme != "http" or not parts.hostname:
            raise ConsoleError(f"{admin}: expected a URL such as http://127.0.0.1:9253")
        headers = {"Authorization": f"Bearer {Path(token_file).read_text().strip()}"} if token_file else {}
        connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=_PATIENCE_SECONDS)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            body = response.read().decode(errors="replace")
        finally:
            connection.close()
        if response.status == 404:
            raise ConsoleError(f"{admin} does not count who asks what: set admin.top to true and start it again")
        if response.status != 200:
            raise ConsoleError(f"{admin}: {response.status} {body.strip()}")
        page = json.loads(body)
    except (OSError, HTTPException, ValueError) as error:
        raise ConsoleError(f"{admin}: {error}") from None
    if not isinstance(page, dict):
        raise ConsoleError(f"{admin}: not the page of a resolver")
    return page
