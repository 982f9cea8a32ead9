"""One pod with many clients: they ask over UDP and TCP at a steady rate, come and go, and count what they get.

A thread that stays in the pod's network. `pause` lets what is under way end and then asks nothing, so that whoever
wants to compare books finds them closed.
"""

import random
import select
import socket
import struct
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from typing import Final

from tests.lab.netns import Namespace
from tests.lab.waiting import wait_until
from tests.soak.truth import Question, questions
from tests.soak.wire import Asked, Verdict, judge, write

UDP_CLIENTS: Final = 24
TCP_CLIENTS: Final = 6
PATIENCE_SECONDS: Final = 15.0
"""Long: a machine that other programs have to themselves for seconds is no finding here, what gets lost is."""
MOST_SHOWN: Final = 20
_TURN_SECONDS: Final = 0.02
_PIPELINED: Final = 12


class Line:
    """One client: a socket, and what it waits for by ID. `uses` are the questions it will still ask."""

    def __init__(self, server: str, choice: random.Random, *, tcp: bool) -> None:
        self.tcp = tcp
        self.uses = choice.randrange(1, 200)
        self.waiting: dict[int, Asked] = {}
        self.given_up: set[int] = set()
        self.text = bytearray()
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        self.sock.settimeout(PATIENCE_SECONDS)
        try:
            self.sock.connect((server, 53))
        except OSError:
            self.sock.close()
            raise
        self.sock.setblocking(False)

    def send(self, packet: bytes) -> None:
        """Raises OSError."""
        self.sock.send(struct.pack("!H", len(packet)) + packet if self.tcp else packet)

    def receive(self) -> list[bytes]:
        """Whole replies; raises OSError, also at the end of a connection."""
        data = self.sock.recv(65535)
        if not self.tcp:
            return [data]
        if not data:
            raise ConnectionResetError
        self.text += data
        found = []
        while len(self.text) >= 2 and len(self.text) >= 2 + (size := self.text[0] << 8 | self.text[1]):
            found.append(bytes(self.text[2 : 2 + size]))
            del self.text[: 2 + size]
        return found


class Pod(threading.Thread):
    """`start`, then `pause`, `go_on` and `end`. `counts` are sums since the start; `Books` explains them."""

    def __init__(self, place: Namespace, servers: tuple[str, ...], per_second: float, seed: int) -> None:
        super().__init__(name=f"pod {place.name}", daemon=True)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._place, self._servers, self._per_second = place, servers, per_second
        self._choice = random.Random(seed)
        self._questions = questions(seed * 50)
        self._lines: list[Line] = []
        self._again: deque[Asked] = deque()
        self._paused, self._idle, self._ending = threading.Event(), threading.Event(), threading.Event()
        self._error: BaseException | None = None

    def pause(self) -> None:
        """Ask nothing more; returns when nothing is waited for."""
        self._paused.set()
        wait_until(lambda: self._idle.is_set() or not self.is_alive(), "the last answers")
        self._check()

    def go_on(self) -> None:
        """Ask again."""
        self._check()
        self._idle.clear()
        self._paused.clear()

    def hang_up(self) -> None:
        """While paused: close all connections."""
        for line in list(self._lines):
            self._hang_up(line)

    def end(self) -> None:
        """Leave."""
        self._ending.set()
        self.join()

    def _check(self) -> None:
        if self._error is not None:
            raise RuntimeError(f"{self.name} has died") from self._error

    def run(self) -> None:
        """Until `end`."""
        try:
            with self._place.entered():
                self._work()
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for this thread
            self._error = error
        finally:
            for line in self._lines:
                line.sock.close()

    def _work(self) -> None:
        due, before = 0.0, time.monotonic()
        while not self._ending.is_set():
            now = time.monotonic()
            if self._paused.is_set():
                due = 0.0
                if not self._again and not any(line.waiting for line in self._lines):
                    self._idle.set()
            else:
                due = min(due + (now - before) * self._per_second, self._per_second)
            before = now
            while self._again:
                self._ask(self._again.popleft(), tcp=True)
            while due >= 1:
                due -= 1
                self._next()
            self._read()
            self._expire(time.monotonic())

    def _next(self) -> None:
        chance = self._choice.random()
        if chance < 0.01:
            self._leave(tcp=chance < 0.005)
        elif chance < 0.02:
            self._babble()
        else:
            tcp = self._choice.random() < 0.15
            self._ask(self._written(tcp=tcp), tcp=tcp)

    def _written(self, *, tcp: bool, question: Question | None = None) -> Asked:
        return write(question or next(self._questions), self._choice.randrange(65536), self._choice, tcp=tcp)

    def _line(self, *, tcp: bool, new: bool = False) -> Line | None:
        """A client with room for one more question, or a new one; None: nobody listens."""
        mine = [line for line in self._lines if line.tcp is tcp]
        for line in mine:
            if line.uses <= 0 and not line.waiting:
                self._hang_up(line)
        free = [line for line in mine if line.uses > 0 and (not tcp or len(line.waiting) < _PIPELINED)]
        if len(free) >= (TCP_CLIENTS if tcp else UDP_CLIENTS) and not new:
            return self._choice.choice(free)
        try:
            line = Line(self._choice.choice(self._servers), self._choice, tcp=tcp)
        except OSError:
            return None
        self._lines.append(line)
        return line

    def _ask(self, asked: Asked, *, tcp: bool) -> None:
        # Where one connection has ended, the others may be about to.
        line = self._line(tcp=tcp, new=asked.tries > 1)
        number = 0
        if line is not None:
            while (number := asked.packet[0] << 8 | asked.packet[1]) in line.waiting or number in line.given_up:
                asked.packet = self._choice.randbytes(2) + asked.packet[2:]
            asked.at = time.monotonic()
            line.uses -= 1
        if asked.tries == 1:
            self.counts["asked"] += 1
            self.counts["over TCP"] += tcp
        try:
            if line is None:
                raise ConnectionRefusedError
            line.send(asked.packet)
        except OSError:
            self.counts["not sent"] += 1
            if line is not None and tcp:
                self._broken(line)
            self._lost(asked)
        else:
            line.waiting[number] = asked

    def _leave(self, *, tcp: bool) -> None:
        """Ask, and go away before the answer; over TCP also in the middle of a question."""
        asked = self._written(tcp=tcp)
        with suppress(OSError):
            line = Line(self._choice.choice(self._servers), self._choice, tcp=tcp)
            with line.sock:
                if tcp and self._choice.random() < 0.5:
                    line.sock.send(struct.pack("!H", len(asked.packet)) + asked.packet[:-3])
                    return
                line.send(asked.packet)
                self.counts["left over TCP" if tcp else "left"] += 1

    def _babble(self) -> None:
        """What is no query, and gets no answer."""
        packet = bytearray(self._written(tcp=False).packet)
        packet[2] |= 0x80
        line = self._line(tcp=False)
        if line is not None:
            with suppress(OSError):
                line.send(bytes(packet) if self._choice.random() < 0.5 else bytes(packet[:7]))
                self.counts["no query"] += 1

    def _read(self) -> None:
        by_number = {line.sock.fileno(): line for line in self._lines}
        poll = select.poll()
        for number in by_number:
            poll.register(number, select.POLLIN)
        for number, _ in poll.poll(_TURN_SECONDS * 1000):
            line = by_number[number]
            with suppress(BlockingIOError):
                while True:
                    try:
                        replies = line.receive()
                    except BlockingIOError:
                        raise
                    except OSError:
                        if line.tcp:
                            self._broken(line)
                        else:
                            self.counts["refused"] += 1
                        break
                    for reply in replies:
                        self._take(line, reply)

    def _take(self, line: Line, reply: bytes) -> None:
        number = reply[0] << 8 | reply[1]
        asked = line.waiting.pop(number, None)
        if asked is None:
            late = number in line.given_up
            line.given_up.discard(number)
            self.counts["late" if late else "stray"] += 1
            return
        verdict, why = judge(asked, reply)
        self.counts[verdict.value] += 1
        if verdict is Verdict.WRONG:
            self.wrong.append(why)
            del self.wrong[MOST_SHOWN:]
        elif verdict is Verdict.FAILED:
            self.counts["failed, of known names"] += asked.question.known
        elif verdict is Verdict.TRUNCATED:
            self._again.append(self._written(tcp=True, question=asked.question))

    def _broken(self, line: Line) -> None:
        """A connection has ended: what it still owes is asked again, once (RFC 7766, section 6.2.4)."""
        for asked in line.waiting.values():
            self._lost(asked)
        line.waiting.clear()
        self._hang_up(line)

    def _lost(self, asked: Asked) -> None:
        if asked.room or asked.tries > 1:
            self.counts["unanswered"] += 1
            return
        asked.tries += 1
        self.counts["asked again"] += 1
        self._again.append(asked)

    def _hang_up(self, line: Line) -> None:
        line.sock.close()
        if line in self._lines:
            self._lines.remove(line)

    def _expire(self, now: float) -> None:
        for line in self._lines:
            old = [number for number, asked in line.waiting.items() if now - asked.at > PATIENCE_SECONDS]
            for number in old:
                del line.waiting[number]
                line.given_up.add(number)
                self.counts["unanswered"] += 1
