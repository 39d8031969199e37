"""Reading a token stream, over all sockets."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Union

from ._flight import Flight
from ._messages import Message, given, payload_of
from ._session import Session
from .errors import BatonError, ClosedError, SessionLostError

# How long to wait, in seconds, before a read that was refused for now is asked for
# again.
_LEAST_RETRY = 0.020
# How much of a stream waits for its reader; beyond it the rest is asked for again
# when that has come so far.
_MOST_UNREAD = 1 << 20


@dataclass(frozen=True)
class StreamPosition:
    """How much of a stream a reader has: so many bytes of an attempt."""

    attempt: int
    offset: int


@dataclass(frozen=True)
class Chunk:
    """A piece of a token stream.

    ``stream`` is its id: the id of the event whose job writes it, or that, a slash
    and a name. ``offset`` is where ``data`` begins, in bytes of the stream (of UTF-8
    where it is text); ``position`` is behind this chunk, and what Client.read_stream
    takes to go on there. ``reset`` means that what came before is void: another
    attempt began, or the beginning is not kept any more. ``final`` is the end of the
    stream, as far as the attempt goes: what the job completed with is what counts.
    """

    stream: str
    correlation_id: str
    attempt: int
    offset: int
    data: Union[str, bytes]
    position: StreamPosition
    reset: bool
    final: bool


class StreamReader:
    def __init__(self, flight: Flight, stream: str, start: StreamPosition | None) -> None:
        self._flight = flight
        self._stream = stream
        self._attempt = start.attempt if start else 0
        self._next = start.offset if start else 0
        self._session: Session | None = None
        # The session answered, and not too much waits.
        self._reading = False
        self._over = False
        self._items: deque[tuple[Chunk, int]] = deque()
        self._unread = 0
        self._failure: BaseException | None = None
        self._wake = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()

    def attach(self, session: Session) -> None:
        """Reads in a session."""
        self._session = session
        self._ask(session)

    def receive(self, m: Message) -> None:
        """Queues a chunk as far as it is new, or a reset."""
        if m["stream"] != self._stream or not self._reading or self._over:
            return
        if m["type"] == "reset":
            self._attempt, self._next = m["attempt"], 0
            self._add(m, 0, b"", True, True)
            return
        given_data: Any = payload_of(m) or ""
        text = isinstance(given_data, str)
        data: bytes = given_data.encode() if text else given_data
        offset: int = m["offset"]
        final = bool(m.get("final"))
        reset = (self._attempt != 0 and m["attempt"] != self._attempt) or offset > self._next
        if not reset:
            skip = min(self._next - min(offset, self._next), len(data))
            if offset + skip < self._next and not final:
                return  # It came before.
            data, offset = data[skip:], offset + skip
        if data or final or reset:
            self._attempt, self._next = m["attempt"], offset + len(data)
            self._add(m, offset, data, text, reset)

    def _add(self, m: Message, offset: int, data: bytes, text: bool, reset: bool) -> None:
        chunk = Chunk(
            stream=self._stream,
            correlation_id=m.get("correlation_id", ""),
            attempt=self._attempt,
            offset=offset,
            data=data.decode("utf-8", "replace") if text else data,
            position=StreamPosition(self._attempt, self._next),
            reset=reset,
            final=bool(m.get("final")),
        )
        self._items.append((chunk, len(data)))
        self._unread += len(data)
        self._over = self._unread > _MOST_UNREAD
        self._wake.set()

    def fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._wake.set()

    async def chunks(self) -> AsyncIterator[Chunk]:
        """The chunks, up to the final one."""
        while True:
            if self._items:
                chunk, size = self._items.popleft()
                self._unread -= size
                yield chunk
                if chunk.final:
                    return
            elif self._failure:
                raise self._failure
            elif self._over and self._session:
                self._ask(self._session)
            else:
                self._wake.clear()
                await self._wake.wait()

    def _ask(self, session: Session) -> None:
        """Asks for what follows what came."""
        self._reading = self._over = False
        task = asyncio.get_running_loop().create_task(self._read(session))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _read(self, session: Session) -> None:
        while self._session is session and self._failure is None:
            fields = given(attempt=self._attempt or None)
            try:
                await self._flight.ask_once({"type": "read", "stream": self._stream, "offset": self._next, **fields}, self._begun)
                return
            except BatonError as refused:
                if not refused.retryable:
                    self.fail(refused)
                    return
                await asyncio.sleep(max(refused.retry_after_ms / 1000, _LEAST_RETRY))
            except (SessionLostError, ClosedError):
                return  # Another session will come, or none.

    def _begun(self, _: Message) -> None:
        self._reading = True
