"""A client's notifications between the socket and who listens."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal, Union

from ._messages import Message, payload_of
from ._session import Session
from ._settings import Settings
from .store import Position, parse_position, store_key

log = logging.getLogger("baton")

# This part of the window is acknowledged without waiting for more.
ACK_SHARE = 4


@dataclass(frozen=True)
class Notification:
    """One message of a client's durable stream. ``data`` is JSON, or bytes where bytes were sent.

    ``redelivered``: it may have been seen before, by this device on another connection.
    ``client_id`` is whose stream it is, of ``listen_for``; empty in the client's own.
    """

    seq: int
    name: str
    event_id: str
    correlation_id: str
    causation_id: str
    time: datetime
    redelivered: bool
    data: Any
    _ack: Callable[[], None]
    client_id: str = ""

    def ack(self) -> None:
        """Acknowledges this notification and all before it, for the device."""
        self._ack()


@dataclass(frozen=True)
class Gap:
    """The notifications from ``start`` to ``end``, both included, are not there any more.

    ``reason`` is "trimmed" (retention ended first) or "epoch" (the cluster was
    restored, and numbers begin anew).
    """

    start: int
    end: int
    reason: str


@dataclass(frozen=True, eq=False)
class Item:
    """One thing of a stream: a notification, a gap, or that it is live. ``epoch`` is of its number."""

    session: Session
    epoch: str
    seq: int
    notification: Notification | None = None
    gap: Gap | None = None


def notification_of(m: Message, ack: Callable[[], None]) -> Notification:
    """A notification as the protocol has it."""
    return Notification(
        seq=m["seq"],
        name=m["name"],
        event_id=m["event_id"],
        correlation_id=m["correlation_id"],
        causation_id=m["causation_id"],
        time=datetime.fromtimestamp(m["time"] / 1000, timezone.utc),
        redelivered=bool(m.get("redelivered")),
        data=payload_of(m),
        _ack=ack,
        client_id=m.get("client_id", ""),
    )


class Stream:
    """The queue is of the current socket.

    When that is lost, the queue is, and the next socket begins again behind the
    last notification that was handled. So nothing is kept that the node would not
    send again, and what comes twice is known by its number.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: Session | None = None
        self._ready = False
        self._listener: object | None = None
        self._items: deque[Item] = deque()
        self._closed: BaseException | None = None
        self._wake = asyncio.Event()
        self._acked = 0
        self._pending = 0
        self._timer: asyncio.TimerHandle | None = None
        self._key = store_key(settings.tenant or "", settings.client_id or "", settings.device_id or "")
        #: Everything up to its seq is handled.
        self.position: Position | None = None
        if isinstance(settings.resume, Position):
            self.position = settings.resume
        elif settings.resume is None and settings.store is not None:
            self.position = parse_position(settings.store.load(self._key))

    def resume(self) -> Union[Message, Literal["live"], None]:
        """Where the next session is to begin, as hello says it."""
        if self.position:
            return {"epoch": self.position.epoch, "seq": self.position.seq}
        return "live" if self._settings.resume == "live" else None

    def attach(self, session: Session) -> None:
        self._session = session
        self._ready = False
        self._items.clear()
        if self._settings.resume == "live" and self.position is None:
            # What comes after this moment counts, on the next socket too.
            self.position = Position(session.epoch, session.seq)
        if self._acked and self.position and self.position.epoch == session.epoch:
            self.flush()
        self._say_ready()

    def detach(self) -> None:
        self._session = None
        self._items.clear()

    def listen(self, listener: object) -> None:
        """Begins to listen. Who listened before does so no more."""
        self._listener = listener
        self._wake.set()
        self._say_ready()

    def leave(self, listener: object) -> None:
        if self._listener is listener:
            self._listener = None
        self._wake.set()

    def close(self, error: BaseException) -> None:
        self._closed = self._closed or error
        self._wake.set()

    def receive(self, m: Message) -> None:
        """Queues what the node sent."""
        session = self._session
        if session is None:
            return
        if len(self._items) > 2 * session.window + 64:
            session.end(ConnectionError(f"{session.url} sends more notifications than the window allows"))
        elif m["type"] == "notify":
            epoch, seq = session.epoch, m["seq"]
            self._items.append(Item(session, epoch, seq, notification=notification_of(m, lambda: self.ack(epoch, seq))))
        elif m["type"] == "gap":
            self._items.append(Item(session, session.epoch, m["to"], gap=Gap(m["from"], m["to"], m["reason"])))
        else:
            self._items.append(Item(session, session.epoch, m["seq"]))
        self._wake.set()

    async def next(self, listener: object) -> Item | None:
        """The next item that was not handled; None for one who listens no more. It stays in the queue until done."""
        while True:
            while self._items and self._handled(self._items[0]):
                self._items.popleft()
            if self._listener is not listener:
                return None
            if self._closed:
                raise self._closed
            if self._items:
                return self._items[0]
            self._wake.clear()
            await self._wake.wait()

    def done(self, item: Item) -> None:
        """Takes a handled item off the queue, and keeps the position."""
        if self._items and self._items[0] is item:
            self._items.popleft()
        if item.gap and item.gap.reason == "epoch":
            return  # The numbers begin anew; what the gap names is of the old ones.
        position = Position(item.epoch, item.seq)
        if self.position is None or self.position.epoch != position.epoch:
            self._acked = 0
        elif position.seq <= self.position.seq:
            return
        self.position = position
        if self._settings.store is not None:
            text = f'{{"epoch":"{position.epoch}","seq":{position.seq}}}'
            try:
                self._settings.store.save(self._key, text)
            except OSError:
                log.exception("the position could not be kept")  # The node knows the device's cursor.

    def ack(self, epoch: str, seq: int) -> None:
        """Acknowledges everything up to seq of the epoch."""
        if self.position and self.position.epoch != epoch:
            return  # Of a stream that is no more.
        self._acked = max(self._acked, seq)
        if self._session is None or self._session.epoch != epoch:
            return  # The next session is told.
        self._pending += 1
        if self._pending >= max(self._session.window // ACK_SHARE, 1):
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._settings.ack_delay, self.flush)

    def flush(self) -> None:
        """Sends the acknowledgement that waits for others."""
        if self._timer:
            self._timer.cancel()
        self._timer = None
        self._pending = 0
        if self._session is not None and self._acked:
            self._session.send({"type": "ack", "seq": self._acked})

    def settle(self) -> None:
        """Sends what waits, before a goodbye."""
        if self._pending:
            self.flush()

    def _handled(self, item: Item) -> bool:
        """Whether a notification came before, over another socket."""
        position = self.position
        known = position is not None and position.epoch == item.epoch and item.seq <= position.seq
        return known and item.notification is not None

    def _say_ready(self) -> None:
        """Lets the node deliver, once somebody listens."""
        if self._session is not None and self._listener is not None and not self._ready:
            self._ready = True
            self._session.send({"type": "ready"})
