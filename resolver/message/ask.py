"""Queries that this program sends: upstream, and to itself."""

from struct import Struct

from resolver.message import codes
from resolver.message.query import HEADER

_OPT = Struct("!BHHBBHH")
_PLAIN = HEADER.pack(0, codes.RD | codes.AD, 1, 0, 0, 0)[2:]
_WITH_OPT = HEADER.pack(0, codes.RD | codes.AD, 1, 0, 0, 1)[2:]
_OPT_PLAIN = _OPT.pack(0, codes.OPT, codes.EDNS_UDP_BYTES, 0, 0, 0, 0)
_ID_SERVER = b"\2id\6server\0" + bytes((0, 16, 0, 3))  # TXT of class CHAOS, RFC 4892 section 3
_OPT_DO = _OPT.pack(0, codes.OPT, codes.EDNS_UDP_BYTES, 0, 0, 0x8000, 0)


def write_query(question: bytes, *, dnssec_ok: bool, checking_disabled: bool, edns: bool = True) -> bytes:
    """A query for `question` (wire form), without its two ID bytes: the connection that sends it chooses those.

    AD is set: we understand it in answers and pass it on to clients that do (RFC 6840 section 5.7).
    `edns=False` is for servers that answer FORMERR to an OPT record (RFC 6891 section 6.2.2).
    """
    header = _WITH_OPT if edns else _PLAIN
    if checking_disabled:
        flags = (codes.RD | codes.AD | codes.CD).to_bytes(2, "big")
        header = flags + header[2:]
    if not edns:
        return header + question
    return header + question + (_OPT_DO if dnssec_ok else _OPT_PLAIN)


def write_identity_query(query_id: bytes) -> bytes:
    """A query that the engine answers (it refuses) without asking anyone: whether it still answers is all we want."""
    return query_id + HEADER.pack(0, 0, 1, 0, 0, 0)[2:] + _ID_SERVER
