"""Who listens to a client's notifications."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, Union

from ._stream import Gap, Item, Notification
from .errors import ClosedError

Handler = Callable[[Notification], Union[Awaitable[Any], Any]]


@dataclass(frozen=True)
class ListenOptions:
    manual_ack: bool = False
    on_gap: Callable[[Gap], Any] | None = None
    on_synced: Callable[[int], Any] | None = None


class Source(Protocol):
    """A stream that can be listened to: the client's own, or that of another client."""

    def listen(self, listener: object) -> None:
        """Begins to listen. Who listened before does so no more."""

    async def next(self, listener: object) -> Union[Item, None]:
        """The next item that was not handled; None for one who listens no more. It stays in the queue until done."""

    def done(self, item: Item) -> None:
        """Takes a handled item off the queue."""

    def leave(self, listener: object) -> None: ...


class Notifications:
    """The notifications, one at a time and in order.

    One is done, and acknowledged, when the next one is asked for: one that was
    being handled when the loop was left comes again, unless its ack was called.
    """

    def __init__(self, stream: Source, options: ListenOptions) -> None:
        self._stream = stream
        self._options = options
        self._open: Item | None = None
        stream.listen(self)

    def __aiter__(self) -> Notifications:
        return self

    async def __anext__(self) -> Notification:
        self._finish()
        while True:
            try:
                item = await self._stream.next(self)
            except ClosedError:
                item = None
            if item is None:
                raise StopAsyncIteration
            if item.notification:
                self._open = item
                return item.notification
            self._stream.done(item)
            if item.gap and self._options.on_gap:
                self._options.on_gap(item.gap)
            elif not item.gap and self._options.on_synced:
                self._options.on_synced(item.seq)

    async def aclose(self) -> None:
        """Ends listening. What is being handled is not acknowledged."""
        self._open = None
        self._stream.leave(self)

    def _finish(self) -> None:
        item, self._open = self._open, None
        if item and item.notification:
            self._stream.done(item)
            if not self._options.manual_ack:
                item.notification.ack()


class Listener:
    """A handler at work."""

    def __init__(self, stream: Source, handler: Handler, options: ListenOptions) -> None:
        self._notifications = Notifications(stream, options)
        self._handler = handler
        #: Done when listening ends; failed when the handler raised, or a node refused the client for good.
        self.done: asyncio.Task[None] = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends listening after the notification that is being handled."""
        self._notifications._stream.leave(self._notifications)
        await self.done

    async def _run(self) -> None:
        try:
            async for notification in self._notifications:
                result = self._handler(notification)
                if inspect.isawaitable(result):
                    await result
        finally:
            await self._notifications.aclose()
