"""Numbers of the DNS protocol that this program decides on, under their names in the IANA registries."""

from typing import Final

# Header flags, as they stand in the 16 bits after the ID (RFC 1035 section 4.1.1, RFC 4035 section 3).
QR: Final = 0x8000
OPCODE: Final = 0x7800
AA: Final = 0x0400
TC: Final = 0x0200
RD: Final = 0x0100
RA: Final = 0x0080
AD: Final = 0x0020
CD: Final = 0x0010
RCODE: Final = 0x000F

# Response codes. 16 and above need the extended bits of an OPT record (RFC 6891 section 6.1.3).
NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
BADVERS: Final = 16

RCODE_NAMES: Final = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN",
    7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 16: "BADVERS", 23: "BADCOOKIE",
}  # fmt: skip

# Types that are treated in a way of their own; all others pass through as they are (RFC 3597).
A: Final = 1
NS: Final = 2
CNAME: Final = 5
SOA: Final = 6
PTR: Final = 12
MX: Final = 15
AAAA: Final = 28
SRV: Final = 33
DNAME: Final = 39
OPT: Final = 41
TKEY: Final = 249
TSIG: Final = 250
IXFR: Final = 251
AXFR: Final = 252
MAILB: Final = 253
MAILA: Final = 254
ANY: Final = 255

# The types that get a label value of their own in metrics; the rest is "other", as in CoreDNS.
TYPE_NAMES: Final = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 35: "NAPTR",
    39: "DNAME", 43: "DS", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 50: "NSEC3", 52: "TLSA", 64: "SVCB",
    65: "HTTPS", 255: "ANY", 257: "CAA",
}  # fmt: skip

CLASS_IN: Final = 1

# EDNS options (RFC 7828, RFC 8914).
OPTION_KEEPALIVE: Final = 11
OPTION_EDE: Final = 15

# Extended DNS errors (RFC 8914 section 4).
EDE_OTHER: Final = 0
EDE_STALE_ANSWER: Final = 3
EDE_NOT_READY: Final = 14
EDE_PROHIBITED: Final = 18
EDE_NOT_SUPPORTED: Final = 21
EDE_NO_REACHABLE_AUTHORITY: Final = 22
EDE_NETWORK_ERROR: Final = 23

# The UDP size that passes every path without fragments (DNS flag day 2020) and the one without EDNS (RFC 1035).
EDNS_UDP_BYTES: Final = 1232
PLAIN_UDP_BYTES: Final = 512
TCP_BYTES: Final = 65535
