"""What a predecessor says in a hand-over: its answers as records, cut anywhere, and its messages with descriptors.

Input: an even first octet: records, four octets that say where to cut, then the stream behind the mark; an odd one:
messages, each behind two octets of length, in the parts in which they would arrive.
"""

import contextlib
import os
import socket
from collections.abc import Iterator

from resolver.cache import snapshot
from resolver.cache.store import Store
from resolver.message.answer import read_answer
from resolver.message.query import read_query
from resolver.message.reply import write_reply
from resolver.supervisor.channel import MESSAGE_BYTES, Channel, ChannelError
from resolver.supervisor.handover import MARK, VERSION, _read_offer
from tests.cases.recorded import ANSWERS, asked_of
from tests.fuzz.cuts import pieces
from tests.fuzz.replies import check_reply
from tests.unit.builders import framed
from tests.unit.world import zone

ZONE = zone(".")
NOW = 1000.0


def seeds() -> Iterator[bytes]:
    store = Store(1 << 20)
    records = []
    for packet in ANSWERS.values():
        question = asked_of(packet)
        if len(packet) > 13 and question and not packet[2] & 2:
            entry = store.put(question + b"\0", read_answer(packet, question), ZONE, ".", "10.96.0.10:53", NOW - 3)
            if entry is not None:
                records.append(snapshot.write(entry))
    yield b"\0\0\0\0\0" + records[0] + snapshot.UP_TO_DATE
    yield b"\0\xff\x10\x20\x30" + b"".join(records[:6]) + snapshot.UP_TO_DATE + b"".join(records[6:9])
    yield b"\0\7\7\7\7" + records[3][:-4]
    offer = (
        f'{{"hello":"{MARK}","version":{VERSION},"places":[["127.0.0.1",53,1]],"admin":["127.0.0.1",9253],"memories":1}}'
    ).encode()
    yield b"\1" + framed(b"\1" + offer)
    yield b"\1" + framed(b"\0" + offer[:40], b"\1" + offer[40:])
    yield b"\1" + framed(b'\1{"answers":true}', b'\1{"leaving":true}', b"")


def check(data: bytes) -> None:
    if data[:1] and not data[0] & 1:
        stream, cut = pieces(data[1:])
        whole, parts = _read([snapshot.MARK + stream]), _read([snapshot.MARK, *cut])
        assert whole == parts
    elif data:
        _check_messages(data[1:])


def _read(said: list[bytes]) -> tuple[list[snapshot.Remembered], bool, bool]:
    reader = snapshot.Reader()
    found = []
    for piece in said:
        found += list(reader.feed(piece, NOW))
        assert len(reader._waiting) <= snapshot.RECORD_BYTES + 4
    for each in found:
        _check_remembered(each)
    return found, reader.failed, reader.up_to_date


def _check_remembered(remembered: snapshot.Remembered) -> None:
    """It can be put where it belongs and told to clients."""
    store = Store(1 << 20)
    assert remembered.stored_at <= NOW
    entry = store.put(remembered.key, remembered.answer, ZONE, ".", remembered.server, remembered.stored_at)
    if entry is None:
        return
    assert 0 < entry.ttl <= ZONE.max_ttl
    query = read_query(b"ID\1\0\0\1\0\0\0\0\0\0" + remembered.key[:-1])
    check_reply(write_reply(query, entry.answer, room_bytes=1232, cap=entry.cap, age=max(entry.age(NOW), 0)), b"ID")


def _check_messages(data: bytes) -> None:
    """What can be read is a message, what cannot is a ChannelError; no descriptor stays open."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = Channel(theirs)
    try:
        for number, part in enumerate(_parts(data)):
            with contextlib.suppress(OSError):
                socket.send_fds(ours, [part], [ours.fileno()] * (number % 2 * 4))
            _receive(channel)
        ours.close()
        _receive(channel)
    except ChannelError:
        pass
    finally:
        channel.close()
        ours.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def _receive(channel: Channel) -> None:
    while (received := channel.receive()) is not None:
        assert len(channel._text) <= MESSAGE_BYTES
        message, descriptors = received
        offer = _read_offer(message, descriptors)
        if offer is None:
            for number in descriptors:
                with contextlib.suppress(OSError):
                    os.close(number)
        else:
            for pairs in offer.places.values():
                for sock in (each for pair in pairs for each in pair):
                    sock.close()
            if offer.admin is not None:
                offer.admin.close()
            for number in offer.memories:
                os.close(number)


def _parts(data: bytes) -> Iterator[bytes]:
    while len(data) >= 2:
        end = 2 + int.from_bytes(data[:2], "big")
        yield data[2:end]
        data = data[end:]
