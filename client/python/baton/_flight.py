"""Every request of a client that is not answered, whatever socket it is sent on."""

from __future__ import annotations

import asyncio
import random
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field

from ._messages import Message, encode
from ._session import Session
from .errors import BatonError, SessionLostError, TooLargeError

# Bounds of the pause before a refused request is sent again, in seconds; the
# node may ask for more.
_LEAST_RETRY = 0.020
_MOST_RETRY = 2.0


@dataclass(eq=False)
class _Request:
    number: int  # the order of submission, and the id
    text: str
    # Belongs to one socket and dies with it; the node does not count it, and it
    # is not tried again.
    bound: bool
    future: asyncio.Future[Message]
    now: Callable[[Message], None] | None
    attempts: int = 0
    timer: asyncio.TimerHandle | None = field(default=None)

    def __lt__(self, other: _Request) -> bool:
        return self.number < other.number

    def finish(self, ok: Message | None, error: BaseException | None = None) -> None:
        if self.timer:
            self.timer.cancel()
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        elif ok is not None:
            if self.now:
                self.now(ok)
            self.future.set_result(ok)


class Flight:
    """Keeps no more requests at the node than it allows, and carries them over to the next socket."""

    def __init__(self) -> None:
        self._ids = 0
        self._session: Session | None = None
        self._counted = 0
        self._sent: dict[int, _Request] = {}
        self._waiting: list[_Request] = []
        self._delayed: set[_Request] = set()
        self._closed: BaseException | None = None

    def idle(self) -> bool:
        """Whether nothing waits for an answer of the node."""
        return not self._sent

    async def ask(self, message: Message) -> Message:
        """Sends a request, now or when there is room, over as many sockets as it takes, and returns ok."""
        request = self._request(message, False, None)
        self._waiting.append(request)
        self._pump()
        return await self._answer(request)

    async def ask_once(self, message: Message, now: Callable[[Message], None] | None = None) -> Message:
        """Sends a request in this session, once.

        now is called with ok before the message behind it is looked at.
        """
        if self._session is None and self._closed is None:
            raise SessionLostError
        request = self._request(message, True, now)
        self._send(request)
        return await self._answer(request)

    def _request(self, message: Message, bound: bool, now: Callable[[Message], None] | None) -> _Request:
        if self._closed is not None:
            raise self._closed
        self._ids += 1
        text = encode({**message, "id": self._ids})
        return _Request(self._ids, text, bound, asyncio.get_running_loop().create_future(), now)

    async def _answer(self, request: _Request) -> Message:
        try:
            return await request.future
        finally:
            # Who gave up leaves nothing behind but a place at the node, until it
            # answers: the node counts it.
            if request in self._waiting:
                self._waiting.remove(request)
            self._delayed.discard(request)
            request.finish(None)

    def answered(self, number: int, ok: Message | None, refused: BatonError | None = None) -> None:
        """Takes the node's answer: an ok, or an error."""
        request = self._sent.pop(number, None)
        if request is None:
            return
        if not request.bound:
            self._counted -= 1
        if refused is not None and refused.retryable and not request.bound and not request.future.done():
            self._retry_later(request, refused.retry_after_ms / 1000)
        else:
            request.finish(ok, refused)
        self._pump()

    def _retry_later(self, request: _Request, at_least: float) -> None:
        request.attempts += 1
        self._delayed.add(request)
        bound = min(_LEAST_RETRY * 2.0 ** min(request.attempts, 10), _MOST_RETRY)

        def again() -> None:
            if request in self._delayed:
                self._delayed.discard(request)
                insort(self._waiting, request)
                self._pump()

        request.timer = asyncio.get_running_loop().call_later(at_least + random.random() * bound, again)

    def attach(self, session: Session) -> None:
        """Goes on over a new socket: what was sent and not answered is sent again, in its order."""
        self._session = session
        self._counted = 0
        self._pump()

    def detach(self) -> None:
        """Takes back what the socket will not answer any more."""
        self._session = None
        requests, self._sent = list(self._sent.values()), {}
        for request in requests:
            if request.bound:
                request.finish(None, SessionLostError())
            elif not request.future.done():
                insort(self._waiting, request)

    def close(self, error: BaseException) -> None:
        """Ends every request, and those to come, with error."""
        self._closed = error
        requests = [*self._sent.values(), *self._delayed, *self._waiting]
        self._sent, self._waiting = {}, []
        self._delayed.clear()
        for request in requests:
            request.finish(None, error)

    def _pump(self) -> None:
        """Sends what there is room for."""
        while self._session is not None and self._waiting and self._counted < self._session.max_in_flight:
            request = self._waiting.pop(0)
            if request.future.done():
                continue
            limit = self._session.max_message_bytes
            size = len(request.text.encode())
            if size > limit:
                request.finish(None, TooLargeError(413, "too_large", f"the message has {size} bytes, the node takes {limit}"))
            else:
                self._send(request)

    def _send(self, request: _Request) -> None:
        assert self._session is not None
        self._sent[request.number] = request
        if not request.bound:
            self._counted += 1
        self._session.send(request.text)
