"""One follow: its subscription on the current session, and where it stands."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal, Union

from ._flight import Flight
from ._messages import Message, check_name, given, payload_of
from ._session import Session
from .errors import BatonError, ClosedError, SessionLostError

# How long to wait, in seconds, before a follow that was refused for now is asked
# for again.
_LEAST_RETRY = 0.020
# How many events may wait for who follows. Beyond it the follower leaves the
# channel, and comes back behind the last one once it has handled them.
_MOST_WAITING = 4096


@dataclass(frozen=True)
class FollowedEvent:
    """An event of a followed channel. ``cursor``: this event and all that were sent before it."""

    cursor: str
    event_id: str
    client_id: str
    tenant: str
    time: datetime
    channel: str
    key: str
    idempotency_key: str
    correlation_id: str
    causation_id: str
    headers: dict[str, str]
    content_type: str
    data: Any


@dataclass(frozen=True)
class FollowOptions:
    start: Union[Literal["new", "earliest"], None] = None
    cursor: str | None = None
    since: datetime | None = None
    name: str | None = None
    window: int | None = None
    on_gap: Callable[[], Any] | None = None

    def beginning(self) -> Any:
        """Where to begin at first, as follow says it."""
        if sum(value is not None for value in (self.start, self.cursor, self.since)) > 1:
            raise ValueError("a follower begins at one of start, cursor and since")
        if self.cursor is not None:
            return {"cursor": self.cursor}
        if self.since is not None:
            return {"time": int(self.since.timestamp() * 1000)}
        return self.start


class Follower:
    def __init__(self, flight: Flight, channel: str, options: FollowOptions) -> None:
        check_name("channel", channel)
        self._beginning = options.beginning()
        self._flight = flight
        self._channel = channel
        self._options = options
        self._session: Session | None = None
        self._subscription: str | None = None
        self._items: deque[Message] = deque()
        self._left = False  # because too many waited
        self._sent: str | None = None  # the last cursor that is queued or handled
        self._handled: str | None = None
        self._failure: BaseException | None = None
        self._wake = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()

    def attach(self, session: Session) -> None:
        self._session = session
        self._subscription = None
        # Those of the old socket come again, behind the last one handled.
        self._items.clear()
        self._sent = self._handled
        self._spawn(self._subscribe(session))

    def receive(self, m: Message) -> None:
        """Queues what the node sent, if it is for this follower."""
        if self._subscription is None or m["subscription"] != self._subscription:
            return
        self._items.append(m)
        self._sent = m.get("cursor", self._sent)
        self._wake.set()
        if len(self._items) >= _MOST_WAITING:
            self._left = True
            self.leave()

    def fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._wake.set()

    def leave(self) -> asyncio.Task[None] | None:
        """Tells the node that nothing more is wanted. The task ends when the commits are kept."""
        if self._subscription is None:
            return None
        message = {"type": "unsubscribe", "subscription": self._subscription}
        self._subscription = None
        return self._spawn(self._quietly(message))

    async def events(self) -> AsyncIterator[FollowedEvent]:
        """The events; one is handled when the next one is asked for."""
        while True:
            if self._items:
                m = self._items.popleft()
                if m["type"] == "gap":
                    if self._options.on_gap:
                        self._options.on_gap()
                    continue
                yield _event_of(m)
                self._done(m)
            elif isinstance(self._failure, ClosedError):
                return
            elif self._failure:
                raise self._failure
            elif self._left and self._session:
                self._left = False
                await self._subscribe(self._session)
            else:
                self._wake.clear()
                await self._wake.wait()

    def _done(self, m: Message) -> None:
        self._handled = m["cursor"]
        if self._options.name and self._session and m["subscription"] == self._subscription:
            self._session.send({"type": "commit", "subscription": m["subscription"], "cursor": m["cursor"]})

    async def _subscribe(self, session: Session) -> None:
        o = self._options
        while self._session is session and self._failure is None:
            start = self._beginning if self._sent is None else {"cursor": self._sent}
            fields = given(**{"from": start}, name=o.name, window=o.window)
            try:
                await self._flight.ask_once({"type": "follow", "channel": self._channel, **fields}, self._subscribed)
                return
            except BatonError as refused:
                if not refused.retryable:
                    self.fail(refused)
                    return
                await asyncio.sleep(max(refused.retry_after_ms / 1000, _LEAST_RETRY))
            except (SessionLostError, ClosedError):
                return  # Another session will come, or none.

    def _subscribed(self, ok: Message) -> None:
        self._subscription = ok["subscription"]
        if self._handled is None:
            # What is stored after this moment counts, on the next socket too.
            self._handled = self._sent = ok.get("cursor")

    async def _quietly(self, message: Message) -> None:
        try:
            await self._flight.ask_once(message)
        except (BatonError, SessionLostError, ClosedError):
            pass  # The answer is of no interest.

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


def _event_of(m: Message) -> FollowedEvent:
    return FollowedEvent(
        cursor=m["cursor"],
        event_id=m["event_id"],
        client_id=m.get("client_id", ""),
        tenant=m.get("tenant", ""),
        time=datetime.fromtimestamp(m.get("time", 0) / 1000, timezone.utc),
        channel=m["channel"],
        key=m.get("key", ""),
        idempotency_key=m.get("idempotency_key", ""),
        correlation_id=m.get("correlation_id", ""),
        causation_id=m.get("causation_id", ""),
        headers=m.get("headers") or {},
        content_type=m.get("content_type", ""),
        data=payload_of(m),
    )
