"""Clients' packets for properties: queries of all kinds, most of them damaged a little."""

from hypothesis import strategies as st

from tests.unit.builders import opt

OPTIONS = st.lists(st.tuples(st.sampled_from([3, 8, 10, 11, 12]), st.binary(max_size=9)), max_size=3)
TYPES = st.sampled_from(
    [b"\0\1\0\1", b"\0\1\0\1", b"\0\x1c\0\1", b"\0\x10\0\1", b"\0A\0\1", b"\0\x29\0\1", b"\0\1\0\3"]
)
FLAGS = st.sampled_from([0x0100, 0x0100, 0x0120, 0x0110, 0x0000]) | st.integers(0, 0xFFFF)


@st.composite
def any_case(draw: st.DrawFn, name: bytes) -> bytes:
    """A name in wire form with letters of any case."""
    mask = draw(st.sampled_from([0, 0, (1 << len(name)) - 1]) | st.integers(0, (1 << len(name)) - 1))
    return b"".join(bytes((octet,)).upper() if mask >> at & 1 else bytes((octet,)) for at, octet in enumerate(name))


@st.composite
def edns_records(draw: st.DrawFn, count: int) -> bytes:
    """OPT records of any size, with any of the usual options."""
    sizes = st.sampled_from([1232, 1232, 512, 4096]) | st.integers(0, 0xFFFF)
    return b"".join(
        opt(draw(sizes), draw(st.booleans()), draw(st.sampled_from([0, 0, 0, 1])), draw(OPTIONS)) for _ in range(count)
    )


@st.composite
def packets(draw: st.DrawFn, wires: st.SearchStrategy[bytes]) -> bytes:
    """A query for a name of `wires` (wire form); some have bytes changed, inserted or cut off behind the ID."""
    edns = draw(st.sampled_from([0, 0, 1, 1, 1, 2]))
    header = draw(FLAGS).to_bytes(2, "big") + b"\0\1\0\0\0\0\0" + bytes((edns,))
    question = draw(any_case(draw(wires))) + draw(TYPES)
    packet = b"ID" + header + question + draw(edns_records(edns))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(2, len(packet)))
        end = draw(st.sampled_from([at, at + 1, at + 2, len(packet)]))
        packet = packet[:at] + draw(st.binary(max_size=2)) + packet[end:]
    return packet
