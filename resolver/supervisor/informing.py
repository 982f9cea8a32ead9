"""The informer as its supervisor sees it: started where the configuration wants it, replaced when it dies, listened to.

It is forked like a worker. The supervisor opens the files with its credentials and hands them over open: it never reads
the token, which would leave it in the memory that workers are forked from.
"""

import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from resolver.config import Config
from resolver.events import event
from resolver.supervisor.channel import Channel, ChannelError, Message, pair
from resolver.supervisor.identity import Identity
from resolver.supervisor.loop import Loop, Timer
from resolver.supervisor.pace import Pace

_log = logging.getLogger(__name__)

TRUST_SECONDS: Final = 60.0
"""How often the files with the credentials are handed over anew; a kubelet replaces a token long before its end."""
_NO_FILE_SECONDS: Final = 5.0
_MESSAGES_PER_TURN: Final = 64


class Informing:
    """`follow` a configuration; `tell` is called with what workers should know, `known` has it for new ones."""

    def __init__(self, loop: Loop, who: Callable[[], Identity | None], tell: Callable[[Message], None]) -> None:
        self.known: dict[str, Message] = {}
        """What was told last, by subject."""
        self.on_fork: Callable[[], None] = lambda: None
        self._loop, self._who, self._tell = loop, who, tell
        self._config: Config | None = None
        self._wanted: Any = None
        self._channel: Channel | None = None
        self._handle: int | None = None  # a pidfd
        self._trust: Timer | None = None
        self._pace = Pace(monotonic())
        self._started = 0
        self._restart: Timer | None = None
        self._trouble = ""

    def follow(self, config: Config) -> None:
        """Have an informer where this configuration wants one, started anew where it wants another."""
        from resolver.kubernetes.wanted import wanted  # noqa: PLC0415 - for those who follow a cluster

        try:
            now = wanted(config, os.environ, socket.gethostname())
        except LookupError as error:
            now = None
            event(_log, logging.ERROR, "the cluster cannot be watched", reason=str(error))
        self._config = config
        if now == self._wanted:
            return
        self.stop()
        self._wanted = now
        if now is not None:
            self._start()

    def stop(self) -> None:
        """End it. Idempotent."""
        self._wanted = None
        for timer in (self._restart, self._trust):
            if timer is not None:
                timer.cancel()
        self._restart = self._trust = None
        self._let_go()
        self.known.clear()

    def close_copies(self) -> None:
        """In a worker's process: close what is the parent's."""
        if self._channel is not None:
            self._channel.close()
        if self._handle is not None:
            os.close(self._handle)

    def _start(self) -> None:
        self._restart = None
        self._started += 1
        mine, its = pair()
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            mine.close()
            its.close()
            event(_log, logging.ERROR, "no informer can be started", reason=error.strerror or str(error))
            self._again()
            return
        if pid == 0:
            self._become(its, mine, parent)
        its.close()
        self._channel, self._handle = mine, os.pidfd_open(pid)
        self._loop.watch(mine.sock.fileno(), self._heard)
        self._hand_over()

    def _become(self, its: Channel, mine: Channel, parent: int) -> None:
        """Be the informer, in its process, and never return."""
        status = 1
        try:
            self._loop.close()
            mine.close()
            self.on_fork()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # a whole process group may get them; the supervisor ends us
            from resolver.kubernetes.informer import Informer  # noqa: PLC0415 - OpenSSL, for this process alone
            from resolver.supervisor.privileges import drop  # noqa: PLC0415 - as above

            drop(self._who(), parent)
            status = Informer(self._wanted, its, again=self._started > 1).run()
        except BaseException:
            logging.getLogger(__name__).exception("the informer failed")
        finally:
            os._exit(status)

    def _hand_over(self) -> None:
        """Give it the files as they are now."""
        settings = self._config.kubernetes if self._config is not None else None
        if self._channel is None or settings is None:
            return
        if self._trust is not None:
            self._trust.cancel()
        opened: list[int] = []
        try:
            for path in (settings.token_file, settings.ca_file):
                opened.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))  # noqa: PERF401 - of two, the first is closed
        except OSError as error:
            self._say_once(f"{error.filename}: {error.strerror}")
            self._trust = self._loop.after(_NO_FILE_SECONDS, self._hand_over)
        else:
            self._trouble = ""
            self._send({"do": "trust"}, opened)
            self._trust = self._loop.after(TRUST_SECONDS, self._hand_over)
        finally:
            for number in opened:
                os.close(number)

    def _send(self, message: Message, descriptors: Sequence[int]) -> None:
        with suppress(ChannelError):  # its end is heard of by who reads
            if self._channel is not None:
                self._channel.send(message, descriptors)

    def _say_once(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            event(_log, logging.ERROR, "no credentials for the API server", reason=trouble)

    def _heard(self) -> None:
        channel = self._channel
        if channel is None:
            return
        try:
            for _ in range(_MESSAGES_PER_TURN):
                received = channel.receive()
                if received is None:
                    return
                message, descriptors = received
                for number in descriptors:
                    os.close(number)
                self._take(message)
        except ChannelError:
            event(_log, logging.WARNING, "the informer has ended")
            self._let_go()
            self._again()

    def _take(self, message: Message) -> None:
        match message.get("is"):
            case "endpoints":
                self.known[f"endpoints {message.get('service')}"] = message
            case "changed":
                pass
            case "watch":
                self.known[f"watch {message.get('what')}"] = message
            case "owners":
                self.known["owners"] = message
            case _:
                return
        self._tell(message)

    def _again(self) -> None:
        pause = self._pace.pause_seconds(monotonic(), served=False)
        self._restart = self._loop.after(pause, self._start)

    def _let_go(self) -> None:
        if self._channel is not None:
            self._loop.forget(self._channel.sock.fileno())
            self._channel.close()
            self._channel = None
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            os.close(self._handle)
            self._handle = None
