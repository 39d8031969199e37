"""One socket, from hello to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import websockets
import websockets.exceptions

from ._messages import Message, decode_frame, encode
from ._settings import Settings
from .errors import BatonError, RejectedError, error_of

log = logging.getLogger("baton")

# The package gets it when it is first asked for, which type checkers cannot see.
_connect: Any = getattr(websockets, "connect")

# How long a node may take to say welcome: it may have to wait for the leader of
# the client's stream.
_HELLO_TIMEOUT = 20.0
# How long a node may take to close the socket after our bye.
_CLOSE_TIMEOUT = 2.0
# How many characters of messages share a frame; a larger message has one of its own.
_FRAME_TARGET = 16_000
# Bounds what a node may send in one message.
_MAX_FRAME = 32 << 20
# How much may wait to be written for what is best effort to be sent at all, in letters.
_MAX_OFFER_BACKLOG = 1 << 20
# Bounds how long a bye may keep a client away, in seconds.
_MAX_BYE_PAUSE = 60.0


@dataclass
class Bye:
    """The server's: it will close the socket."""

    reason: str
    reconnect: bool
    after: float


class TurnedAway(Exception):
    """A bye came instead of welcome: the node has no place, and says when to come back."""

    def __init__(self, bye: Bye, cause: BaseException) -> None:
        super().__init__(f"the node has no place ({bye.reason}): {cause}")
        self.bye = bye
        self.cause = cause


class Session:
    """Belongs to the event loop that opened it."""

    def __init__(self, url: str, socket: Any) -> None:
        self.url = url
        #: Counts what came: grows while the node lives.
        self.heard = 0
        self.bye: Bye | None = None
        #: Done with why the socket is of no use any more.
        self.ended: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._socket = socket
        self._early: list[Message] = []
        self._outgoing: list[str] = []
        self._backlog = 0  # letters in it
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.node = ""
        self.epoch = ""
        self.seq = 0
        self.nodes: list[str] = []
        self.max_in_flight = 64
        self.max_message_bytes = 1 << 20
        self.window = 64
        self.token_expires_ms = 0

    @classmethod
    async def open(cls, url: str, hello: Message, settings: Settings) -> Session:
        """Connects to a node, says hello and waits for its welcome."""
        options: dict[str, Any] = {"ssl": settings.ssl} if settings.ssl else {}
        socket = await _connect(
            url,
            subprotocols=["baton.v1.json"],
            open_timeout=settings.connect_timeout,
            close_timeout=_CLOSE_TIMEOUT,
            ping_interval=None,  # The link asks for signs of life itself.
            max_size=_MAX_FRAME,
            compression=None,
            **options,
        )
        session = cls(url, socket)
        try:
            await asyncio.wait_for(session._greet(hello), _HELLO_TIMEOUT)
        except BaseException:
            session._abort()
            raise
        return session

    async def _greet(self, hello: Message) -> None:
        refusal: BatonError | None = None
        try:
            await self._socket.send(encode(hello))
            while True:
                messages = decode_frame(await self._socket.recv())
                for at, message in enumerate(messages):
                    if message["type"] == "welcome":
                        self._welcomed(message)
                        self._early = messages[at + 1 :]
                        return
                    if message["type"] == "error":
                        refusal = error_of(message)
                    elif message["type"] == "bye":
                        self.bye = _bye(message)
        except websockets.exceptions.ConnectionClosed as closed:
            reason = _reason(self.url, closed)
            if isinstance(reason, RejectedError):
                raise reason from refusal
            if self.bye and not self.bye.reconnect:
                raise RejectedError(0, self.bye.reason) from refusal
            cause = refusal or reason
            raise TurnedAway(self.bye, cause) if self.bye else cause from refusal

    def _welcomed(self, m: Message) -> None:
        self.node = m.get("node", "")
        self.epoch = m.get("epoch", "")
        self.seq = m.get("seq", 0)
        self.nodes = m.get("nodes") or []
        self.token_expires_ms = m.get("token_expires_ms", 0)
        limits = m.get("limits") or {}
        self.max_in_flight = limits.get("max_in_flight") or self.max_in_flight
        self.max_message_bytes = limits.get("max_message_bytes") or self.max_message_bytes
        self.window = limits.get("window") or self.window

    def start(self, handle: Callable[[Message], None]) -> None:
        """Begins reading and writing. handle is called for every message, one at a time."""
        self._tasks = [asyncio.create_task(self._read(handle)), asyncio.create_task(self._write())]

    def send(self, message: Message | str) -> None:
        """Queues a message. What is queued while the last write is under way shares frames."""
        if not self.ended.done():
            text = message if isinstance(message, str) else encode(message)
            self._outgoing.append(text)
            self._backlog += len(text)
            self._wake.set()

    def offer(self, message: Message) -> None:
        """Queues what may be lost, unless the socket is so far behind that it is better lost."""
        if self._backlog <= _MAX_OFFER_BACKLOG:
            self.send(message)

    def end(self, reason: BaseException) -> None:
        """Makes the session unusable. The first reason counts. A socket that hangs is not waited for."""
        if not self.ended.done():
            self.ended.set_result(reason)
            self._outgoing = []
            self._wake.set()

    async def part(self) -> None:
        """Says goodbye, and waits for the node to close."""
        self.send({"type": "bye"})
        await asyncio.wait([self.ended], timeout=_CLOSE_TIMEOUT)
        self.end(ConnectionError("closed"))

    async def clean(self) -> None:
        """Lets go of the socket, and of what read and wrote it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._abort()

    def _abort(self) -> None:
        transport = getattr(self._socket, "transport", None)
        if transport is not None:
            transport.abort()

    async def _read(self, handle: Callable[[Message], None]) -> None:
        try:
            self._hand_over(self._early, handle)
            async for frame in self._socket:
                self.heard += 1
                self._hand_over(decode_frame(frame), handle)
            self.end(_reason(self.url, None))
        except websockets.exceptions.ConnectionClosed as closed:
            self.end(_reason(self.url, closed))
        except Exception as error:
            log.exception("a message could not be handled")
            self.end(error)

    def _hand_over(self, messages: list[Message], handle: Callable[[Message], None]) -> None:
        for message in messages:
            if message.get("type") == "ping":
                self.send({"type": "pong", "time": message.get("time")})
            elif message.get("type") == "bye":
                self.bye = _bye(message)
            handle(message)

    async def _write(self) -> None:
        try:
            while not self.ended.done():
                await self._wake.wait()
                self._wake.clear()
                messages, self._outgoing = self._outgoing, []
                self._backlog = 0
                for frame in _frames(messages):
                    await self._socket.send(frame)
        except websockets.exceptions.ConnectionClosed:
            pass  # The reader says why.
        except Exception as error:
            self.end(error)


def _bye(m: Message) -> Bye:
    return Bye(m.get("reason", ""), bool(m.get("reconnect")), min(m.get("after_ms", 0) / 1000, _MAX_BYE_PAUSE))


def _frames(messages: list[str]) -> list[str]:
    """Joins messages into frames of about the target."""
    frames: list[str] = []
    start = 0
    size = 0
    for at, message in enumerate(messages):
        if size > 0 and size + len(message) > _FRAME_TARGET:
            frames.append("\n".join(messages[start:at]))
            start, size = at, 0
        size += len(message) + 1
    if start < len(messages):
        frames.append("\n".join(messages[start:]))
    return frames


def _reason(url: str, closed: websockets.exceptions.ConnectionClosed | None) -> Exception:
    """What a close says: an end for good, or one of many."""
    frame = closed.rcvd if closed else None
    code = frame.code if frame else 1006
    reason = (frame.reason if frame else "") or "the connection was lost"
    if 4500 <= code <= 4999:
        return RejectedError(code, reason)
    return ConnectionError(f"{url}: {reason} ({code})")
