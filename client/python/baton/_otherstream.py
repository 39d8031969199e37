"""The stream of another client, that a backend listens to."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Literal, Protocol, Union

from ._flight import Flight
from ._messages import Message, given
from ._session import Session
from ._stream import ACK_SHARE, Gap, Item, notification_of
from ._turns import Turns
from .errors import BatonError, SessionLostError, bad_request
from .store import Position

# How many notifications may be out and not acknowledged, where nothing is said.
_WINDOW = 16
_MOST_ID_BYTES = 255
# How long to wait, in seconds, before a listen that was refused for now is asked
# for again.
_LEAST_RETRY = 0.020


@dataclass(frozen=True)
class ListenForOptions:
    """Whose notifications are received, and how."""

    client_id: str
    device_id: str | None = None
    window: int | None = None
    resume: Union[Position, Literal["live"], None] = None

    def __post_init__(self) -> None:
        if not self.client_id or len(self.client_id.encode()) > _MOST_ID_BYTES:
            raise bad_request(f"a client id has 1 to {_MOST_ID_BYTES} bytes")
        if len((self.device_id or "").encode()) > _MOST_ID_BYTES:
            raise bad_request(f"a device id has at most {_MOST_ID_BYTES} bytes")
        if self.window is not None and self.window < 1:
            raise bad_request("window must be at least 1")


class OtherLink(Protocol):
    """What a stream of another client needs of the connection."""

    flight: Flight
    turns: Turns
    ack_delay: float

    def begin(self, stream: OtherStream) -> None: ...

    def name(self, subscription: str, stream: OtherStream) -> None:
        """Has what comes under a subscription go to the stream, until it is forgotten."""

    def forget(self, subscription: str) -> None: ...

    def quietly(self, message: Message) -> None:
        """Asks for what is not of interest any more when it is answered."""

    def end(self, stream: OtherStream) -> None: ...


class OtherStream:
    """One listen_for: its subscription in the current session, and what came in it.

    As with the client's own stream, the queue is of the current socket: the next
    one begins again behind the last notification that was handled.
    """

    def __init__(self, link: OtherLink, options: ListenForOptions) -> None:
        self._link = link
        self._options = options
        self._session: Session | None = None
        self._subscription: str | None = None  # until the listen is answered
        self._epoch = ""
        self._items: deque[Item] = deque()
        self._left = False
        self._failure: BaseException | None = None
        self._wake = asyncio.Event()
        #: Everything up to its seq is handled.
        self._position: Position | None = None
        self._acked: Position | None = None
        self._unsaid = 0  # acknowledgements that the node was not told of
        self._timer: asyncio.TimerHandle | None = None

    def listen(self, listener: object) -> None:
        self._link.begin(self)

    def attach(self, session: Session) -> None:
        """Listens in a session, when it is this one's turn."""
        self.detach()
        self._session = session
        self._link.turns.enter(session, lambda: self._ask(session))

    def detach(self) -> None:
        """The subscription ended with its socket; what waited comes again over the next."""
        self._forget()
        self._session = None
        self._items.clear()

    def fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._wake.set()

    def receive(self, m: Message) -> None:
        """Queues what the node sent."""
        session, epoch = self._session, self._epoch
        if session is None:
            return
        if len(self._items) > 2 * max(self._options.window or _WINDOW, session.window) + 64:
            session.end(ConnectionError(f"{session.url} sends more notifications than the window allows"))
        elif m["type"] == "notify":
            seq = m["seq"]
            self._items.append(Item(session, epoch, seq, notification=notification_of(m, lambda: self._ack(epoch, seq))))
        elif m["type"] == "gap":
            self._items.append(Item(session, epoch, m["to"], gap=Gap(m["from"], m["to"], m["reason"])))
        else:
            self._items.append(Item(session, epoch, m["seq"]))
        self._wake.set()

    async def next(self, listener: object) -> Item | None:
        """It stays in the queue until done."""
        while not self._left:
            while self._items and self._handled(self._items[0]):
                self._items.popleft()
            if self._failure:
                raise self._failure
            if self._items:
                return self._items[0]
            self._wake.clear()
            await self._wake.wait()
        return None

    def done(self, item: Item) -> None:
        if self._items and self._items[0] is item:
            self._items.popleft()
        if item.gap and item.gap.reason == "epoch":
            return  # The numbers begin anew; what the gap names is of the old ones.
        if self._position is None or self._position.epoch != item.epoch or self._position.seq < item.seq:
            self._position = Position(item.epoch, item.seq)

    def settle(self) -> None:
        """Sends what waits, before a goodbye."""
        if self._unsaid:
            self._say_ack()

    def leave(self, listener: object) -> None:
        """Ends the subscription, after the last acknowledgement."""
        if self._left:
            return
        self.settle()
        self._left = True
        self._items.clear()
        self._wake.set()
        self._unlisten()
        self._link.end(self)

    def _ack(self, epoch: str, seq: int) -> None:
        """Acknowledges everything up to seq of the epoch."""
        if self._left or (self._position and self._position.epoch != epoch):
            return  # Of a stream that is no more.
        if self._acked is None or self._acked.epoch != epoch or self._acked.seq < seq:
            self._acked = Position(epoch, seq)
        self._unsaid += 1
        if self._unsaid >= (self._options.window or _WINDOW) / ACK_SHARE:
            self._say_ack()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._link.ack_delay, self._say_ack)

    def _say_ack(self) -> None:
        """Sends the acknowledgement that waits for others; while there is no subscription, the next begins with it."""
        if self._timer:
            self._timer.cancel()
        self._timer = None
        self._unsaid = 0
        if self._session and self._subscription and self._acked and self._acked.epoch == self._epoch:
            self._session.send({"type": "ack", "subscription": self._subscription, "seq": self._acked.seq})

    async def _ask(self, session: Session) -> None:
        """Asks for what comes behind the last notification that was handled, until that is answered for good."""
        o = self._options
        while self._session is session and not self._left and self._failure is None:
            begin = self._position or o.resume
            resume = {"epoch": begin.epoch, "seq": begin.seq} if isinstance(begin, Position) else begin
            fields = given(client_id=o.client_id, device_id=o.device_id, window=o.window, resume=resume)
            try:
                await self._link.flight.ask_once({"type": "listen", **fields}, self._began)
                return
            except BatonError as refused:
                if not refused.retryable:
                    self.fail(refused)
                    return
                await asyncio.sleep(max(refused.retry_after_ms / 1000, _LEAST_RETRY))
            except SessionLostError:
                return  # Another session will come, or none.
            except Exception as error:
                self.fail(error)

    def _began(self, ok: Message) -> None:
        """Takes note of the subscription, before what it brings is looked at."""
        self._subscription = ok["subscription"]
        self._epoch = ok["epoch"]
        if self._left:
            self._unlisten()
            return
        self._link.name(ok["subscription"], self)
        if self._options.resume == "live" and self._position is None:
            # What comes after this moment counts, on the next socket too.
            self._position = Position(ok["epoch"], ok["seq"])
        self._say_ack()

    def _unlisten(self) -> None:
        subscription = self._subscription
        if subscription is not None:
            self._forget()
            self._link.quietly({"type": "unlisten", "subscription": subscription})

    def _forget(self) -> None:
        if self._subscription is not None:
            self._link.forget(self._subscription)
            self._subscription = None

    def _handled(self, item: Item) -> bool:
        """Whether a notification came before, over another socket."""
        position = self._position
        known = position is not None and position.epoch == item.epoch and item.seq <= position.seq
        return known and item.notification is not None
