"""The query log: one event for each query. It hands over what it saw; the log's thread makes text of it."""

import logging
from functools import partial

from resolver.events import Value
from resolver.message import codes, names
from resolver.message.query import HEADER_BYTES, Query
from resolver.ops.logs import QUERY_LOG
from resolver.outcome import Source, Via

_queries = logging.getLogger(QUERY_LOG)


def observe_query(query: Query, reply: bytes, client: str, via: Via, source: Source, seconds: float) -> None:
    """The query log, an `outcome.Observer`: one event for each query."""
    _queries.info("query", extra={"fields": partial(_query_fields, query, reply, client, via, source, seconds)})


def _query_fields(
    query: Query, reply: bytes, client: str, via: Via, source: Source, seconds: float
) -> dict[str, Value]:
    rcode = reply[3] & codes.RCODE
    opt = HEADER_BYTES + len(query.question)
    if source is Source.REJECTED and len(reply) > opt:
        rcode |= reply[opt + 5] << 4  # BADVERS, whose upper bits are in the OPT record (RFC 6891 section 6.1.3)
    asked = query.question != b""  # of a malformed query there may be nothing to tell
    return {
        "client": client,
        "name": names.to_text(query.question[:-4]) if asked else "",
        "type": codes.TYPE_NAMES.get(query.qtype, f"TYPE{query.qtype}") if asked else "",
        "proto": "tcp" if via.tcp else "udp",
        "rcode": codes.RCODE_NAMES.get(rcode, str(rcode)),
        "source": source.value,
        "bytes": len(reply),
        "ms": round(seconds * 1000, 3),
        "do": query.edns is not None and query.edns.dnssec_ok,
    }
