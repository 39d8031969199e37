"""Keeps a client connected."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Protocol

import websockets.exceptions

from ._backoff import Backoff
from ._messages import Message
from ._nodes import Nodes
from ._session import Session, TurnedAway
from ._settings import Settings
from .errors import BatonError, ConnectError, RejectedError

log = logging.getLogger("baton")

# A node is asked for a sign of life when it was silent for so many intervals, or
# one while it owes an answer; it is given up when the probe is unanswered for so
# many, or one while it owes an answer.
_IDLE_PROBES = 5
_IDLE_PATIENCE = 3

# What another attempt, or another node, may mend.
_PASSING = (
    OSError,
    asyncio.TimeoutError,
    json.JSONDecodeError,
    BatonError,
    TurnedAway,
    websockets.exceptions.WebSocketException,
)


class Served(Protocol):
    """What a link needs of its client."""

    async def hello(self) -> Message: ...

    def attach(self, session: Session) -> None: ...

    def detach(self) -> None: ...

    def handle(self, session: Session, m: Message) -> None: ...

    def idle(self) -> bool:
        """Whether the node owes no answer."""

    def fail(self, error: BaseException) -> None: ...


class Link:
    def __init__(self, client: Served, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._nodes = Nodes(settings.nodes, settings.in_order)
        self._backoff = Backoff(settings.min_backoff, settings.max_backoff)
        self.closing = False
        self._session: Session | None = None

    async def connect(self, attempts: int) -> Session:
        """Tries the nodes in turn until one says welcome, for ever where attempts is 0."""
        refusal: BatonError | None = None
        attempt = 0
        while True:
            url = self._nodes.current()
            try:
                session = await Session.open(url, await self._client.hello(), self._settings)
            except _PASSING as error:
                failure: Exception = error
            else:
                self._backoff.succeeded()
                if not self._settings.given_only:
                    self._nodes.learn(session.nodes)
                log.debug("connected to %s at %s", session.node, url)
                return session
            refused = failure.cause if isinstance(failure, TurnedAway) else failure
            if isinstance(refused, BatonError):
                refusal = refused
            log.info("connecting to %s failed: %s", url, failure or type(failure).__name__)
            self._nodes.advance()
            attempt += 1
            if attempt == attempts:
                raise ConnectError(self._nodes.all(), failure, refusal) from failure
            told = failure.bye.after if isinstance(failure, TurnedAway) else 0
            await asyncio.sleep(max(self._backoff.pause(), told))

    async def run(self, session: Session) -> None:
        """Serves session after session until the client is closed, or refused for good."""
        try:
            while True:
                reason = await self._serve(session)
                if self.closing:
                    return
                if isinstance(reason, RejectedError):
                    raise reason
                if session.bye and not session.bye.reconnect:
                    raise RejectedError(0, session.bye.reason)
                log.info("the connection was lost: %s", reason)
                await asyncio.sleep(session.bye.after if session.bye else 0)
                self._nodes.advance()
                session = await self.connect(0)
        except Exception as error:
            self._client.fail(error)

    async def close(self, task: asyncio.Task[None]) -> None:
        """Ends run, which is task: with a goodbye where there is a session."""
        self.closing = True
        if self._session is not None:
            await self._session.part()
        else:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _serve(self, session: Session) -> BaseException:
        """Serves one session to its end, and returns why it ended."""
        self._session = session
        self._client.attach(session)
        session.start(lambda m: self._client.handle(session, m))
        watch = asyncio.create_task(self._watch(session))
        try:
            return await session.ended
        finally:
            self._session = None
            watch.cancel()
            self._client.detach()
            await session.clean()

    async def _watch(self, session: Session) -> None:
        """Ends a session whose node is silent: a node that hangs does not close its sockets."""
        heard = session.heard
        silent = probed = 0
        while True:
            await asyncio.sleep(self._settings.probe_interval)
            if session.heard != heard:
                heard = session.heard
                silent = probed = 0
                continue
            silent += 1
            owes = not self._client.idle()
            if probed > _IDLE_PATIENCE or (probed and owes):
                session.end(ConnectionError(f"{session.url} was silent for too long"))
            elif probed:
                probed += 1
            elif owes or silent >= _IDLE_PROBES:
                session.send({"type": "ping"})
                probed = 1
