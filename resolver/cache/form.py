"""A cache key (`Query.key`) as the store holds it: in the form of the plainest query for the same question.

Ready replies are kept under the canonical form of a query (`message.canonical`), its header without the ID and its
question. For a query without EDNS, which most are, that is the very form of its key here: so one object serves both
tables, which is 0.1 KiB less for each name. Forms are no queries: DO, for which a plain query has no place, is in QR.
"""

from resolver.message.canonical import QUESTION_AT

_COUNTS = b"\0\1\0\0\0\0\0\0"
_HEADERS = (b"\x01\x00" + _COUNTS, b"\x81\x00" + _COUNTS, b"\x01\x10" + _COUNTS, b"\x81\x10" + _COUNTS)
"""By the bits at the end of a key: RD always, QR for DO, CD for CD."""
_BITS = {header: bytes((bits,)) for bits, header in enumerate(_HEADERS)}
_TYPE_AND_CLASS_BYTES = 4


def form_of(key: bytes) -> bytes:
    """Return the form in which the store holds this key."""
    return _HEADERS[key[-1]] + key[:-1]


def key_of(form: bytes) -> bytes:
    """Return the key that has this form."""
    return form[QUESTION_AT:] + _BITS[form[:QUESTION_AT]]


def name_of(form: bytes) -> bytes:
    """Return the name asked for, in wire form and lower case."""
    return form[QUESTION_AT : len(form) - _TYPE_AND_CLASS_BYTES]
