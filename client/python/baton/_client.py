"""A connection to a cluster that outlives its sockets."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl as tls
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, TypeVar, Union

from ._broadcast import BroadcastReceipt, broadcast_message
from ._event import Receipt, event_fields
from ._flight import Flight
from ._follow import FollowedEvent, Follower, FollowOptions
from ._lease import complete_fields, fail_fields
from ._link import Link
from ._listen import Handler as NotificationHandler
from ._listen import Listener, ListenOptions, Notifications
from ._messages import Message, given
from ._otherstream import ListenForOptions, OtherStream
from ._others import Others
from ._presence import Presence, presence_of
from ._readstream import Chunk, StreamPosition, StreamReader
from ._refresh import Refresh
from ._runs import (
    NO_DATA,
    Run,
    RunAction,
    RunPage,
    RunState,
    StartedRun,
    await_run,
    control_run,
    list_runs,
    send_message,
    show_run,
    start_run,
)
from ._session import Session
from ._settings import Settings
from ._stream import Gap, Notification, Stream
from ._token import Token, token_of
from ._worker import Handler, Report, Worker, WorkOptions
from .errors import ClosedError, error_of
from .store import Position, Store

log = logging.getLogger("baton")

#: What the client calls itself in hello.
VERSION = "0.1"

H = TypeVar("H", bound=Handler)


class Client:
    """Made by connect. Its methods are for the event loop that it was made on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._flight = Flight()
        self._stream = Stream(settings) if settings.client_id else None
        self._room = asyncio.Semaphore(settings.max_pending)
        self._link = Link(self, settings)
        self._refresh = Refresh(self._flight, settings.token)
        self._session: Session | None = None
        self._closed: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        # Set when wait is to end: the client has, or a worker was refused.
        self._ended = asyncio.Event()
        self._refused: BaseException | None = None
        self._prefix = secrets.token_hex(10) + "-"
        self._keys = 0
        self._workers: list[Worker] = []
        self._followers: list[Follower] = []
        self._readers: list[StreamReader] = []
        self._others = Others(self._flight, settings.ack_delay)

    async def open(self) -> None:
        """Is called by connect."""
        first = await self._link.connect(self._settings.connect_attempts)
        self._task = asyncio.create_task(self._link.run(first))
        # The session is attached when the task has begun.
        await asyncio.sleep(0)

    @property
    def node(self) -> str:
        """The name of the node connected to, empty while there is none."""
        return self._session.node if self._session else ""

    @property
    def position(self) -> Position | None:
        """Where the stream of notifications stands: what connect takes as resume."""
        return self._stream.position if self._stream else None

    async def publish(
        self,
        channel: str,
        data: Any = None,
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        client_seq: int | None = None,
        priority: int | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        delay_ms: float | None = None,
        deliver_at: datetime | None = None,
        ttl_ms: float | None = None,
        on_end: str | None = None,
        client_id: str | None = None,
    ) -> Receipt:
        """Stores an event, and returns once it is replicated to a majority.

        It survives lost sockets, elections and refusals that may pass, and goes
        on until it is cancelled (asyncio.wait_for bounds it): then the event may
        or may not be stored. ``data`` is anything that encodes as JSON, or bytes.
        ``on_end`` is the name under which the client is notified when all has
        ended that the event led to. ``client_id`` is whose event it is, by default the
        client's own: for another it takes a token that may be any client.
        """
        if idempotency_key is None:
            idempotency_key = self._new_key()
        fields = event_fields(
            channel,
            data,
            key=key,
            idempotency_key=idempotency_key,
            correlation_id=correlation_id,
            causation_id=causation_id,
            client_seq=client_seq,
            priority=priority,
            headers=headers,
            content_type=content_type,
            delay_ms=delay_ms,
            deliver_at=deliver_at,
            ttl_ms=ttl_ms,
            on_end=on_end,
            client_id=client_id,
        )
        async with self._room:
            ok = await self._flight.ask({"type": "publish", **fields})
        return Receipt(ok["event_id"], ok["correlation_id"], ok["offset"], bool(ok.get("duplicate")))

    async def cancel_event(self, event_id: str, reason: str | None = None) -> None:
        """Stops an event: nobody is given it any more, and who works on it is told.

        A client with an id cancels its own only.
        """
        await self._flight.ask({"type": "cancel", "event_id": event_id, **given(reason=reason)})

    async def cancel_lineage(self, correlation_id: str, reason: str | None = None) -> None:
        """Stops every event of a correlation id, in all partitions, and what their jobs still emit."""
        await self._flight.ask({"type": "cancel", "correlation_id": correlation_id, **given(reason=reason)})

    def notifications(
        self,
        *,
        manual_ack: bool = False,
        on_gap: Callable[[Gap], Any] | None = None,
        on_synced: Callable[[int], Any] | None = None,
    ) -> Notifications:
        """The notifications in order, each acknowledged when the next one is asked for.

        Who listened before does so no more. ``manual_ack`` leaves acknowledging to
        Notification.ack. ``on_gap`` is called for those that are not there any
        more, ``on_synced`` when everything missed was delivered.
        """
        return Notifications(self._need_stream(), ListenOptions(manual_ack, on_gap, on_synced))

    def on_notification(
        self,
        handler: NotificationHandler,
        *,
        manual_ack: bool = False,
        on_gap: Callable[[Gap], Any] | None = None,
        on_synced: Callable[[int], Any] | None = None,
    ) -> Listener:
        """Calls handler for one notification after the other, and acknowledges each when the handler is done."""
        return Listener(self._need_stream(), handler, ListenOptions(manual_ack, on_gap, on_synced))

    def listen_for(
        self,
        client_id: str,
        *,
        device_id: str | None = None,
        window: int | None = None,
        resume: Union[Position, Literal["live"], None] = None,
        manual_ack: bool = False,
        on_gap: Callable[[Gap], Any] | None = None,
        on_synced: Callable[[int], Any] | None = None,
    ) -> AsyncGenerator[Notification, None]:
        """The notifications of another client, as notifications gives the client's own.

        A backend with sockets of its own in front receives those of each of its users
        over one connection; there may be as many of these at a time as the node allows.
        Each notification comes once in the life of one, through lost sockets and nodes.
        Listening begins with the loop, at ``resume`` or else at the cursor of the
        device, and ends when the generator is closed: ``aclose()`` does it at once. It
        takes a token that may be any client.
        """
        stream = OtherStream(self._others, ListenForOptions(client_id, device_id, window, resume))
        return self._listen(stream, ListenOptions(manual_ack, on_gap, on_synced))

    async def _listen(self, stream: OtherStream, options: ListenOptions) -> AsyncGenerator[Notification, None]:
        notifications = Notifications(stream, options)
        try:
            async for notification in notifications:
                yield notification
        finally:
            await notifications.aclose()

    async def broadcast(
        self,
        client_ids: Sequence[str],
        name: str,
        data: Any = None,
        *,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
    ) -> BroadcastReceipt:
        """Notifies several clients of the same, each once, and returns when all of them have it in their streams.

        It goes on until it is cancelled: then some may have it, and the same again,
        with its ``idempotency_key``, notifies the others. It takes a token of a worker,
        of an administrator, or one that may be any client.
        """
        message = broadcast_message(
            client_ids,
            name,
            data,
            idempotency_key=self._new_key() if idempotency_key is None else idempotency_key,
            correlation_id=correlation_id,
            causation_id=causation_id,
        )
        ok = await self._flight.ask(message)
        return BroadcastReceipt(ok["event_id"], ok["correlation_id"], bool(ok.get("duplicate")))

    async def client_presence(self, client_id: str) -> Presence:
        """Whether a client is connected, and how far each of its devices is, asked over HTTP.

        NotFoundError says that nothing ever was for it and it is not connected.
        """
        return await presence_of(client_id, self._settings)

    async def start_run(
        self,
        workflow: str,
        data: Any = None,
        *,
        alias: str | None = None,
        client_id: str | None = None,
        key: str | None = None,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        on_end: str | None = None,
        priority: int | None = None,
    ) -> StartedRun:
        """Starts a run of a workflow, over HTTP as all that concerns runs.

        ``alias`` is an alias or a version in full, by default prod; ``client_id`` is
        whose run it is, by default the client's own. A start that is repeated under the
        same ``idempotency_key`` finds the first run.
        """
        return await start_run(
            self._settings,
            workflow,
            data,
            alias=alias,
            client_id=self._settings.client_id or None if client_id is None else client_id,
            key=key,
            idempotency_key="~" + self._new_key() if idempotency_key is None else idempotency_key,
            correlation_id=correlation_id,
            headers=headers,
            on_end=on_end,
            priority=priority,
        )

    async def run(self, run_id: str) -> Run:
        """A run with what its steps did; NotFoundError where there is none, or it is another client's."""
        return await show_run(self._settings, run_id)

    async def await_run(self, run_id: str) -> Run:
        """A run when it has ended: its result, or its error, says how. asyncio.wait_for bounds it."""
        return await await_run(self._settings, run_id)

    async def runs(
        self,
        *,
        workflow: str | None = None,
        version: str | None = None,
        state: RunState | None = None,
        client_id: str | None = None,
        correlation_id: str | None = None,
        error_code: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> RunPage:
        """A page of runs: the client's own, or all of the tenant where the token may see them.

        ``version`` may be the beginning of one; ``since`` and ``until`` bound when it
        was started.
        """
        return await list_runs(
            self._settings,
            workflow=workflow,
            version=version,
            state=state,
            client_id=client_id,
            correlation_id=correlation_id,
            error_code=error_code,
            since=since,
            until=until,
            cursor=cursor,
            limit=limit,
        )

    async def cancel_run(
        self, run_id: str, *, reason: str | None = None, code: str | None = None, no_compensation: bool | None = None
    ) -> None:
        """Cancels a run, and has it compensate what its workflow says."""
        await control_run(
            self._settings,
            run_id,
            "cancel",
            NO_DATA,
            self._new_key(),
            reason=reason,
            code=code,
            no_compensation=no_compensation,
        )

    async def control_run(
        self,
        run_id: str,
        action: RunAction,
        *,
        reason: str | None = None,
        code: str | None = None,
        step: str | None = None,
        version: str | None = None,
        data: Any = NO_DATA,
    ) -> str:
        """Asks something of a run, and returns its id; of a fork the new run's.

        ``data`` is the input of what is tried again, or the output of what is skipped;
        ``step`` is where a redrive or fork begins, ``version`` the version or alias of a
        fork.
        """
        return await control_run(
            self._settings, run_id, action, data, self._new_key(), reason=reason, code=code, step=step, version=version
        )

    async def message(
        self, name: str, key: str, data: Any = None, *, id: str | None = None, ttl_ms: int | None = None
    ) -> bool:
        """Sends a message to the run that waits for this name and key, or will while it is kept.

        It is kept for a day, or ``ttl_ms``. With an ``id`` it arrives once: True says
        that it was sent before.
        """
        return await send_message(self._settings, name, key, data, self._new_key(), id=id, ttl_ms=ttl_ms)

    def work(
        self,
        channel: str,
        handler: Handler,
        *,
        group: str | None = None,
        start: Literal["new", "earliest"] | None = None,
        credit: int = 16,
        lease_ms: float | None = None,
        grace: float = 10.0,
        report: Report | None = None,
    ) -> Worker:
        """Does the jobs of a channel, until the worker is stopped.

        A handler that is a coroutine function gets a Job and is cancelled when the
        job is to stop; any other runs in a thread and gets a BlockingJob. The job
        is completed when the handler returns, and fails when it raises.

        ``group`` is the consumer group; ``start`` is where one begins that is made
        now, "new" or "earliest". ``credit`` is how many jobs are worked on at a
        time. ``lease_ms`` is how long a job may be without a sign of life before
        another worker gets it; it is renewed all the while. ``grace`` is how many
        seconds jobs may go on after stop. ``report`` is told how each job ended:
        with None for completed.
        """
        options = WorkOptions(group, start, credit, lease_ms, grace, report)
        worker = Worker(self._flight, channel, handler, options, self._dismiss)
        if self._closed:
            worker.fail(self._closed)
            return worker
        self._workers.append(worker)
        if self._session:
            worker.attach(self._session)
        return worker

    def worker(
        self,
        channel: str,
        *,
        group: str | None = None,
        start: Literal["new", "earliest"] | None = None,
        credit: int = 16,
        lease_ms: float | None = None,
        grace: float = 10.0,
        report: Report | None = None,
    ) -> Callable[[H], H]:
        """Makes a function the handler of a channel's jobs: see work. ``await client.wait()`` lets them work."""

        def decorate(handler: H) -> H:
            self.work(
                channel, handler, group=group, start=start, credit=credit, lease_ms=lease_ms, grace=grace, report=report
            )
            return handler

        return decorate

    async def follow(
        self,
        channel: str,
        *,
        start: Literal["new", "earliest"] | None = None,
        cursor: str | None = None,
        since: datetime | None = None,
        name: str | None = None,
        window: int | None = None,
        on_gap: Callable[[], Any] | None = None,
    ) -> AsyncGenerator[FollowedEvent, None]:
        """Every event of a channel, whatever workers do with it.

        It begins with what is published from now on (``start="new"``, the
        default), with the oldest event (``"earliest"``), behind a ``cursor``, or
        ``since`` a time. A follower with a ``name`` goes on behind the last event
        that it handled, whatever else is said: an event is handled when the next
        one is asked for.
        """
        follower = Follower(self._flight, channel, FollowOptions(start, cursor, since, name, window, on_gap))
        self._followers.append(follower)
        try:
            if self._closed:
                follower.fail(self._closed)
            elif self._session:
                follower.attach(self._session)
            async for event in follower.events():
                yield event
        finally:
            self._followers.remove(follower)
            leaving = follower.leave()
            if leaving:
                await asyncio.wait([leaving])

    async def read_stream(self, stream: str, start: StreamPosition | None = None) -> AsyncGenerator[Chunk, None]:
        """Reads a token stream, what a worker shows of its answer while it makes it.

        ``stream`` is the event_id that publish returned, or what a chunk has. It may
        begin before there is anything, goes on through lost sockets, and ends behind
        the final chunk. ``start`` is a position that an earlier chunk had, on this or
        another device. NotFoundError says that the stream is not kept any more.
        """
        reader = StreamReader(self._flight, stream, start)
        self._readers.append(reader)
        try:
            if self._closed:
                reader.fail(self._closed)
            elif self._session:
                reader.attach(self._session)
            async for chunk in reader.chunks():
                yield chunk
        finally:
            self._readers.remove(reader)

    async def complete_lease(
        self,
        lease: str,
        *,
        result: Any = None,
        usage: Any = None,
        emit: Sequence[Mapping[str, Any]] = (),
        notify: Sequence[Mapping[str, Any]] = (),
    ) -> list[Union[str, None]]:
        """Completes the job of a lease that is in force, mostly a parked one, from anywhere.

        The lease is all that it takes. ``emit`` and ``notify`` are what Job.emit and
        Job.notify take, by name: ``{"channel": ..., "data": ...}``. Returns the ids of
        what it emitted, None for an event on its way to another partition.
        LeaseLostError means that somebody else has ended the job, or nobody did in
        time; the same completion again is answered as the first one was.
        """
        ok = await self._flight.ask(complete_fields(lease, result, usage, list(emit), list(notify)))
        return list(ok.get("events") or [])

    async def fail_lease(self, lease: str, failure: BaseException | str) -> None:
        """Fails the job of a lease as an exception of its handler would: see JobError and PermanentError."""
        await self._flight.ask(fail_fields(lease, failure))

    async def wait(self) -> None:
        """Returns when the client is closed. Raises when a worker is refused, or a node refuses the client for good."""
        await self._ended.wait()
        if self._refused is not None:
            raise self._refused
        if self._closed and not isinstance(self._closed, ClosedError):
            raise self._closed

    async def close(self) -> None:
        """Says goodbye and ends everything: what was not answered fails with ClosedError, jobs go back at once."""
        if self._stream:
            self._stream.settle()
        self._others.settle()
        self.fail(ClosedError())
        task, self._task = self._task, None
        if task:
            await self._link.close(task)

    def _new_key(self) -> str:
        self._keys += 1
        return f"{self._prefix}{self._keys:x}"

    def _need_stream(self) -> Stream:
        if self._stream is None:
            raise ValueError("connect was given no client_id, so there is no stream to listen to")
        return self._stream

    def _users(self) -> list[Union[Worker, Follower, StreamReader]]:
        return [*self._workers, *self._followers, *self._readers]

    def _dismiss(self, worker: Worker, failure: BaseException | None) -> None:
        """Takes note of a worker's end."""
        if worker in self._workers:
            self._workers.remove(worker)
        if failure is not None and not self._closed:
            self._refused = failure
            self._ended.set()

    # What follows is for the link.

    async def hello(self) -> Message:
        s = self._settings
        token = await token_of(s.token)
        return {
            "type": "hello",
            "version": VERSION,
            **given(token=token, tenant=s.tenant, client_id=s.client_id, device_id=s.device_id, window=s.window),
            **given(name=s.name or s.client_id, resume=self._stream.resume() if self._stream else None),
            **given(ready=False if self._stream else None),
        }

    def attach(self, session: Session) -> None:
        self._session = session
        if self._stream:
            self._stream.attach(session)
        for worker in self._workers:
            worker.restream(session)  # Before the ends of jobs, which end their streams.
        self._flight.attach(session)
        self._refresh.attach(session)
        for user in self._users():
            user.attach(session)
        self._others.attach(session)

    def detach(self) -> None:
        self._session = None
        self._others.detach()
        self._refresh.detach()
        if self._stream:
            self._stream.detach()
        self._flight.detach()

    def idle(self) -> bool:
        return self._flight.idle()

    def fail(self, error: BaseException) -> None:
        """Ends everything that runs."""
        if self._closed:
            return
        self._closed = error
        self._flight.close(error)
        if self._stream:
            self._stream.close(error)
        for user in self._users():
            user.fail(error)
        self._others.fail(error)
        self._ended.set()

    def handle(self, session: Session, m: Message) -> None:
        """Every message of a node goes to whom it is for."""
        kind = m.get("type")
        if kind == "ok":
            self._flight.answered(m["id"], m)
        elif kind == "error":
            if "id" in m:
                self._flight.answered(m["id"], None, error_of(m))
            else:
                log.warning("the node refused a message: %s", error_of(m))
        elif kind in ("notify", "gap", "synced") and "subscription" not in m:
            if self._stream:
                self._stream.receive(m)
        elif kind in ("notify", "gap", "synced") and self._others.receive(m):
            pass
        elif kind in ("event", "gap"):
            for follower in self._followers:
                follower.receive(m)
        elif kind in ("chunk", "reset"):
            for reader in self._readers:
                reader.receive(m)
        elif kind == "job":
            if not any(worker.accept(session, m) for worker in self._workers):
                session.send({"type": "release", "lease": m["lease"]})  # It has no worker any more.
        elif kind == "renewed":
            for worker in self._workers:
                worker.renewed(m)
        elif kind == "cancel":
            for worker in self._workers:
                worker.cancel(m)


class connect:
    """Connects to one of the nodes, as ``async with connect(...) as c`` or ``c = await connect(...)``.

    It is done once a node has said welcome. From then on the client reconnects
    for ever, to any node it was given or has learned of, until it is closed or a
    node refuses it for good. RejectedError says that a node refuses for good;
    ConnectError that none could be reached in ``connect_attempts`` (0, the
    default, for ever: asyncio.wait_for bounds it).

    ``nodes`` are URLs of any of the cluster's nodes: http, https, ws or wss.
    ``in_order`` tries them in the order given, else the first one is random;
    ``given_only`` ignores the nodes that the cluster tells of. ``client_id`` names
    the durable stream of notifications, ``device_id`` one of the client's devices;
    ``store`` keeps its position, ``resume`` says it: a Position, or "live". ``name``
    is the program, for the lineage. ``window`` is how many notifications may be
    out and not acknowledged. ``token`` is the credential, or a function, coroutine
    or plain, that gives a fresh one each time: for every connection, and before the
    present one is over. Times are in seconds.
    """

    def __init__(
        self,
        nodes: Union[str, Sequence[str]],
        *,
        client_id: str | None = None,
        device_id: str | None = None,
        tenant: str | None = None,
        token: Token | None = None,
        name: str | None = None,
        window: int | None = None,
        resume: Union[Position, Literal["live"], None] = None,
        store: Store | None = None,
        in_order: bool = False,
        given_only: bool = False,
        ssl: tls.SSLContext | None = None,
        connect_attempts: int = 0,
        connect_timeout: float = 5.0,
        min_backoff: float = 0.05,
        max_backoff: float = 5.0,
        probe_interval: float = 3.0,
        ack_delay: float = 0.005,
        max_pending: int = 4096,
    ) -> None:
        self._settings = Settings(
            nodes, client_id, device_id, tenant, token, name, window, resume, store, in_order, given_only, ssl,
            connect_attempts, connect_timeout, min_backoff, max_backoff, probe_interval, ack_delay, max_pending,
        )
        self._client: Client | None = None

    def __await__(self) -> Generator[Any, None, Client]:
        return self._open().__await__()

    async def __aenter__(self) -> Client:
        self._client = await self._open()
        return self._client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client:
            await self._client.close()

    async def _open(self) -> Client:
        client = Client(self._settings)
        await client.open()
        return client
