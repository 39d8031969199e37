"""One work: its subscription on the current session, and its jobs on whatever session they came."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import math
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Union

from ._flight import Flight
from ._event import whole
from ._job import BlockingJob, Job
from ._lease import fail_fields
from ._messages import Message, check_name, encode, given
from ._renew import Renewals
from ._session import Session
from .errors import (
    BatonError,
    CanceledError,
    ClosedError,
    JobError,
    LeaseLostError,
    ParkedError,
    PermanentError,
    SessionLostError,
    StoppingError,
    bad_request,
    lease_lost,
)

log = logging.getLogger("baton")

AsyncHandler = Callable[[Job], Awaitable[Any]]
BlockingHandler = Callable[[BlockingJob], Any]
Handler = Union[AsyncHandler, BlockingHandler]
AnyJob = Union[Job, BlockingJob]
Report = Callable[[AnyJob, Union[BaseException, None]], Any]

# How long to wait, in seconds, before a subscription that was refused for now is
# asked for again.
_LEAST_RETRY = 0.020


@dataclass(frozen=True)
class WorkOptions:
    """Which jobs to take; see Client.work."""

    group: str | None = None
    start: Literal["new", "earliest"] | None = None
    credit: int = 16
    lease_ms: float | None = None
    grace: float = 10.0
    report: Report | None = None

    def check(self) -> None:
        if self.group is not None:
            check_name("group", self.group)
        if self.start is not None and (self.group or "default") == "default":
            raise bad_request("start is for other groups than default, which begins with the channel's first event")
        if self.start not in (None, "new", "earliest"):
            raise bad_request(f'a group begins from "new" or "earliest", not {self.start!r}')
        if self.credit < 1:
            raise bad_request("credit must be at least 1")


@dataclass(eq=False)
class Running:
    """A job from its arrival to the answer of its end."""

    job: AnyJob
    lease: str
    session: Session
    begun: float  # of the lease's current term, on the clock of the event loop
    expires: float
    lost: bool = False  # the cluster said so
    parking: bool = False  # a park is not answered yet
    parked: bool = False
    task: asyncio.Task[Any] | None = None  # of a handler that is a coroutine

    def stop(self, reason: BaseException) -> None:
        """Tells the handler to stop, once."""
        if self.job.ended is None:
            self.job.ended = reason
            if self.task:
                self.task.cancel()


class Worker:
    """Made by Client.work."""

    def __init__(self, flight: Flight, channel: str, handler: Handler, options: WorkOptions, dismiss: Callable[[Worker, BaseException | None], None]) -> None:
        check_name("channel", channel)
        options.check()
        self._flight = flight
        self._channel = channel
        self._handler = handler
        self._options = options
        self._dismiss = dismiss
        self._loop = asyncio.get_running_loop()
        self._blocking = not inspect.iscoroutinefunction(handler) and not inspect.iscoroutinefunction(
            getattr(handler, "__call__", None)
        )
        self._threads = ThreadPoolExecutor(options.credit, "baton-" + channel) if self._blocking else None
        self._jobs: dict[str, Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(options.credit)
        self._renewals = Renewals(self._jobs)
        self._session: Session | None = None
        self._subscription: str | None = None
        self._stopping = False
        self._failure: BaseException | None = None
        self._winding: asyncio.Task[None] | None = None
        #: Done when the worker has stopped; failed when its subscription is
        #: refused, or the client was refused for good.
        self.done: asyncio.Future[None] = self._loop.create_future()

    async def stop(self) -> None:
        """Takes no more jobs, gives back what has not begun, and lets the rest finish within the grace."""
        self._wind()
        await asyncio.shield(self.done)

    def fail(self, error: BaseException) -> None:
        """Ends the worker, and its jobs with error as the reason."""
        self._failure = self._failure or error
        self._stop_all(error)
        self._wind()

    def _wind(self) -> None:
        if self._winding is None:
            self._stopping = True
            self._unsubscribe()
            self._winding = self._loop.create_task(self._wound())

    async def _wound(self) -> None:
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=self._options.grace)
            if unfinished:
                self._stop_all(StoppingError())
                await asyncio.wait(unfinished)
        self._renewals.stop()
        self._dismiss(self, self._failure)
        if self._threads:
            self._threads.shutdown(wait=False)
        if self._failure is None or isinstance(self._failure, ClosedError):
            self.done.set_result(None)
        else:
            log.error("the worker of channel %s ended: %s", self._channel, self._failure)
            self.done.set_exception(self._failure)
            self.done.exception()  # It is told; who awaits done hears of it too.

    def _stop_all(self, reason: BaseException) -> None:
        for running in list(self._jobs.values()):
            running.stop(reason)

    def restream(self, session: Session) -> None:
        """Goes on with the streams of all jobs in a session."""
        for running in self._jobs.values():
            running.job._restream(session)

    def attach(self, session: Session) -> None:
        """Subscribes in a session."""
        self._session = session
        self._subscription = None
        self._renewals.attach(session)
        if not self._stopping:
            self._spawn(self._subscribe(session))

    def accept(self, session: Session, m: Message) -> bool:
        """Starts a job of this worker's subscription; False for another's."""
        if session is not self._session or m["subscription"] != self._subscription or self._stopping:
            return False
        job: AnyJob = BlockingJob(m, self, self._loop) if self._blocking else Job(m, self)
        now = self._loop.time()
        running = Running(job, m["lease"], session, now, now + m["lease_ms"] / 1000)
        self._jobs[running.lease] = running
        self._renewals.look(m["lease_ms"])
        task = self._loop.create_task(self._run(running))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def renewed(self, m: Message) -> None:
        self._renewals.renewed(m)

    def cancel(self, m: Message) -> None:
        """Stops a job at the cluster's wish. Without a grace the lease is gone already."""
        running = self._jobs.get(m["lease"])
        if running is None:
            return
        grace_ms = m.get("grace_ms", 0)
        if grace_ms:
            running.stop(CanceledError(m.get("reason", ""), grace_ms))
        else:
            running.lost = True
            running.stop(lease_lost())

    def checkpoint(self, lease: str, value: Any) -> None:
        if self._session is None:
            return
        text = encode({"type": "renew", "leases": [{"lease": lease, "checkpoint": value}]})
        if len(text.encode()) > self._session.max_message_bytes:
            log.warning("a checkpoint of %d letters is too large", len(text))
        else:
            self._session.send(text)

    async def keep(self, lease: str, value: Any) -> None:
        await self._flight.ask({"type": "checkpoint", "lease": lease, "checkpoint": value})

    async def park(self, lease: str, timeout_ms: float | None) -> None:
        """Parks a job.

        While that is under way, a renewal that finds the lease lost proves nothing:
        the job's lease has no clock any more.
        """
        running = self._jobs.get(lease)
        if running is None or running.lost:
            raise lease_lost()
        message = {"type": "park", "lease": lease, **given(timeout_ms=whole("timeout_ms", timeout_ms))}
        running.parking = True
        try:
            await self._flight.ask(message)
            running.parked = True
        finally:
            running.parking = False

    def session(self) -> Session | None:
        """The socket there is, if any."""
        return self._session

    def _spawn(self, coroutine: Any) -> None:
        """Runs something that nobody waits for, and holds on to it."""
        task = self._loop.create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _subscribe(self, session: Session) -> None:
        o = self._options
        fields = given(group=o.group, **{"from": o.start}, lease_ms=None if o.lease_ms is None else math.ceil(o.lease_ms))
        while self._session is session and not self._stopping:
            credit = self._credit()
            subscribed = functools.partial(self._subscribed, session, credit)
            try:
                await self._flight.ask_once(
                    {"type": "subscribe", "channel": self._channel, "credit": credit, **fields},
                    subscribed,
                )
                return
            except BatonError as refused:
                if not refused.retryable:
                    self.fail(refused)
                    return
                await asyncio.sleep(max(refused.retry_after_ms / 1000, _LEAST_RETRY))
            except (SessionLostError, ClosedError):
                return  # Another session will come, or none.

    def _subscribed(self, session: Session, credit: int, ok: Message) -> None:
        """Takes note of the subscription, and of places that became free since it was asked for."""
        if self._session is not session:
            return
        self._subscription = ok["subscription"]
        if self._stopping:
            self._unsubscribe()
        elif self._credit() != credit:
            self._lend()

    def _credit(self) -> int:
        """What may be outstanding in the current session: jobs from earlier ones count against it."""
        elsewhere = sum(running.session is not self._session for running in self._jobs.values())
        return max(self._options.credit - elsewhere, 0)

    def _lend(self) -> None:
        if self._subscription is not None and not self._stopping and self._session is not None:
            self._session.send({"type": "credit", "subscription": self._subscription, "credit": self._credit()})

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            message = {"type": "unsubscribe", "subscription": self._subscription}
            self._subscription = None
            self._spawn(self._quietly(message))

    async def _quietly(self, message: Message) -> None:
        try:
            await self._flight.ask_once(message)
        except (BatonError, SessionLostError, ClosedError):
            pass  # The answer is of no interest.

    async def _run(self, running: Running) -> None:
        error = await self._do(running)
        del self._jobs[running.lease]
        if running.session is not self._session:
            self._lend()
        if self._options.report:
            try:
                self._options.report(running.job, error)
            except Exception:
                log.exception("report failed")

    async def _do(self, running: Running) -> BaseException | None:
        """Waits for a place, runs the handler and ends the job. Returns what report is told."""
        async with self._places:
            if running.job.ended is not None:
                return running.job.ended
            if self._stopping:
                self._release(running)
                return StoppingError()
            error = await self._call(running)
            if running.parked:
                parked = ParkedError()
                parked.__cause__ = error
                return parked
            if running.lost:
                return lease_lost()
            return await self._complete(running) if error is None else await self._broken(running, error)

    async def _call(self, running: Running) -> BaseException | None:
        """Runs the handler, and returns what it raised."""
        try:
            if self._threads:
                await self._loop.run_in_executor(self._threads, self._handler, running.job)
                return None
            handler: Any = self._handler
            running.task = task = asyncio.ensure_future(handler(running.job))
            await asyncio.wait([task])
            task.result()
        except asyncio.CancelledError as error:
            return running.job.ended or error
        except Exception as error:
            return error
        return None

    async def _complete(self, running: Running) -> BaseException | None:
        """Sends what the handler asked for.

        What the cluster refuses for another reason than the lease ends the job as
        failed: it would be refused again.
        """
        try:
            await self._flight.ask(running.job._outcome())
        except (LeaseLostError, ClosedError) as error:
            return error
        except BatonError as error:
            return await self._send_failure(running, PermanentError(str(error), code=error.reason))
        except (TypeError, ValueError) as error:
            return await self._send_failure(running, PermanentError(str(error), code="bad_outcome"))
        return None

    async def _broken(self, running: Running, error: BaseException) -> BaseException:
        """Ends a job whose handler raised."""
        ended = running.job.ended
        if isinstance(ended, StoppingError) or (ended is not None and ended is self._failure):
            # The worker was stopped: that is no fault of the job.
            self._release(running)
            return ended
        if not isinstance(error, JobError):
            failure = JobError(str(error) or type(error).__name__)
            failure.__cause__ = error
            error = failure
        return await self._send_failure(running, error)

    async def _send_failure(self, running: Running, error: JobError) -> BaseException:
        try:
            await self._flight.ask(fail_fields(running.lease, error))
        except (BatonError, ClosedError, TypeError, ValueError) as refused:
            return refused
        return error

    def _release(self, running: Running) -> None:
        """Gives a job back. Where the socket is lost nobody can be told: the lease ends by itself."""
        if self._session is not None and not running.lost:
            self._session.send({"type": "release", "lease": running.lease})
