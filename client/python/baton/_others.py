"""The streams of other clients that a backend listens to."""

from __future__ import annotations

import asyncio

from ._flight import Flight
from ._messages import Message
from ._otherstream import OtherStream
from ._session import Session
from ._turns import Turns
from .errors import BatonError, ClosedError, SessionLostError


class Others:
    def __init__(self, flight: Flight, ack_delay: float) -> None:
        self.flight = flight
        self.ack_delay = ack_delay
        self.turns = Turns()
        self._session: Session | None = None
        self._closed: BaseException | None = None
        # In the order in which they began; the values are of no meaning.
        self._streams: dict[OtherStream, None] = {}
        self._named: dict[str, OtherStream] = {}
        self._background: set[asyncio.Task[None]] = set()

    def attach(self, session: Session) -> None:
        self._session = session
        for stream in self._streams:
            stream.attach(session)

    def detach(self) -> None:
        self._session = None
        for stream in self._streams:
            stream.detach()

    def settle(self) -> None:
        """Sends the acknowledgements that wait, before a goodbye."""
        for stream in self._streams:
            stream.settle()

    def fail(self, error: BaseException) -> None:
        self._closed = error
        for stream in self._streams:
            stream.fail(error)

    def receive(self, m: Message) -> bool:
        """Hands what a node sent to the stream that it is of; False where it is for none."""
        stream = self._named.get(m["subscription"])
        if stream is not None:
            stream.receive(m)
        return stream is not None

    # What follows is for the streams.

    def begin(self, stream: OtherStream) -> None:
        self._streams[stream] = None
        if self._closed:
            stream.fail(self._closed)
        elif self._session:
            stream.attach(self._session)

    def name(self, subscription: str, stream: OtherStream) -> None:
        self._named[subscription] = stream

    def forget(self, subscription: str) -> None:
        self._named.pop(subscription, None)

    def quietly(self, message: Message) -> None:
        task = asyncio.get_running_loop().create_task(self._quietly(message))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _quietly(self, message: Message) -> None:
        try:
            await self.flight.ask_once(message)
        except (BatonError, SessionLostError, ClosedError):
            pass  # The answer is of no interest.

    def end(self, stream: OtherStream) -> None:
        self._streams.pop(stream, None)
