"""A line to Redis that breaks just where a test says, told by the command that is on it."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable
from enum import Enum, auto

import hiredis

from wherry.jobs.script import script

Command = list[bytes]


class Place(Enum):
    """Where the line breaks."""

    BEFORE = auto()  # Redis never sees the command
    AFTER = auto()  # Redis does as told, but its reply is lost
    MIDDLE = auto()  # half of the reply comes
    SILENT = auto()  # nothing more goes either way, and nobody is told: a half-open connection


#: Decides each command's fate, in a thread of the line's own.
Rule = Callable[[Command], Place | None]


def runs(name: str) -> Callable[[Command], bool]:
    """Whether a command is one of our verbs."""
    sha = script(name).sha.encode()
    return lambda command: command[0].upper() == b"EVALSHA" and command[1] == sha


def named(name: str) -> Callable[[Command], bool]:
    """Whether a command is one of Redis's own."""
    return lambda command: command[0].upper() == name.encode()


class Wire:
    """A proxy before Redis. `rule` sees every command; connections have a thread each."""

    def __init__(self, port: int) -> None:
        self.target = port
        self._lines: set[_Line] = set()
        self.reset()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def reset(self) -> None:
        """Hand all on."""
        self.rule: Rule = lambda _: None
        self.breaks = 0
        self._after_break: tuple[Callable[[], None], threading.Event | None] = (lambda: None, None)

    def break_at(
        self,
        wanted: Callable[[Command], bool],
        place: Place,
        *,
        times: int = 1,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> threading.Event:
        """Break at the next commands of a kind. Answers the event of the last of these breaks.

        `meanwhile` runs at each break, before anything of it can be seen.
        """
        left, done = times, threading.Event()
        guard = threading.Lock()

        def rule(command: Command) -> Place | None:
            nonlocal left
            with guard:
                if not left or not wanted(command):
                    return None
                left -= 1
            self._after_break = (meanwhile, done if not left else None)
            return place

        self.rule = rule
        return done

    def broke(self) -> None:
        """A line broke as its rule said."""
        self.breaks += 1
        meanwhile, done = self._after_break
        meanwhile()
        if done:
            done.set()

    def cut_all(self) -> None:
        """Break every connection there is, whatever is on it."""
        for line in list(self._lines):
            line.shut()

    def __enter__(self) -> Wire:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
        self.cut_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            line = _Line(self, client, server)
            self._lines.add(line)
            threading.Thread(target=self._follow, args=(line,), daemon=True).start()

    def _follow(self, line: _Line) -> None:
        try:
            line.follow()
        except OSError:
            pass  # either end is gone
        finally:
            line.close()
            self._lines.discard(line)


class _Line:
    """One connection: commands are told apart on their way, replies only where a break needs it."""

    def __init__(self, wire: Wire, client: socket.socket, server: socket.socket) -> None:
        self._wire, self._client, self._server = wire, client, server
        self._commands, self._replies = hiredis.Reader(), hiredis.Reader()
        self._owed = 0
        self._place: Place | None = None
        self._held = b""
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def follow(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._client, selectors.EVENT_READ)
            selector.register(self._server, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr] # sockets
                    if not data:
                        return
                    came_from_client = key.fileobj is self._client
                    if self._place is Place.SILENT:
                        continue
                    if not (self._ask(data) if came_from_client else self._answer(data)):
                        return

    def shut(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._client.close()
        self._server.close()

    def _ask(self, data: bytes) -> bool:
        """Commands came. False: the line is broken."""
        self._commands.feed(data)
        while self._place is None and (command := self._commands.gets()) is not False:
            place = self._wire.rule(command)
            if place in (Place.BEFORE, Place.SILENT):
                self._place = place
                self._wire.broke()
                return place is Place.SILENT
            self._place = place
            self._owed += 1
            parts = [b"$%d\r\n%s\r\n" % (len(part), part) for part in command]
            self._server.sendall(b"*%d\r\n%s" % (len(parts), b"".join(parts)))
        return True

    def _answer(self, data: bytes) -> bool:
        """Replies came. False: the line is broken."""
        self._replies.feed(data)
        while self._replies.gets() is not False:
            self._owed -= 1
        if self._place is None:
            self._client.sendall(data)
            return True
        self._held += data
        if self._owed > 0:
            return True
        if self._place is Place.MIDDLE:
            self._client.sendall(self._held[: max(1, len(self._held) // 2)])
        self._wire.broke()
        return False
