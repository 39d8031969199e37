"""An event that is leased to a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from ._lease import emit_fields, notify_fields
from ._messages import Message, encode_value, given, payload_of
from ._once import Once
from ._session import Session
from ._tokens import TokenStream
from .errors import bad_request

T = TypeVar("T")

# How many events a job may emit, and how many notifications it may send.
_MOST_EMITS = 256


class JobLink(Protocol):
    """What a job's messages go through."""

    def checkpoint(self, lease: str, value: Any) -> None:
        """Saves a checkpoint within seconds."""

    async def keep(self, lease: str, value: Any) -> None:
        """Saves a checkpoint, and returns when it is kept."""

    async def park(self, lease: str, timeout_ms: float | None) -> None:
        """Takes the job off the worker's hands."""

    def session(self) -> Session | None:
        """The socket there is, if any."""


class _Work:
    """What Job and BlockingJob have in common."""

    def __init__(self, m: Message, link: JobLink) -> None:
        self.event_id: str = m["event_id"]
        self.channel: str = m["channel"]
        self.group: str = m["group"]
        self.key: str = m.get("key", "")
        self.idempotency_key: str = m.get("idempotency_key", "")
        self.correlation_id: str = m["correlation_id"]
        self.causation_id: str = m["causation_id"]
        #: Whose event it is; empty where it is no client's.
        self.client_id: str = m.get("client_id", "")
        self.tenant: str = m.get("tenant", "")
        #: The run and the step whose job it is; empty where it is none's.
        self.run_id: str = m.get("run", "")
        self.step: str = m.get("step", "")
        #: Counts from 1.
        self.attempt: int = m["attempt"]
        #: Grows with every grant of this event: give it to a store that must
        #: refuse the writes of a worker that lost its lease.
        self.fence: int = m["fence"]
        self.lease_ms: int = m["lease_ms"]
        self.headers: dict[str, str] = m.get("headers") or {}
        #: JSON, or bytes where bytes were published.
        self.data: Any = payload_of(m)
        #: Why the job is to stop: LeaseLostError, CanceledError, StoppingError or
        #: ClosedError; None while it is not.
        self.ended: BaseException | None = None
        #: The job's lease: whoever has it can end the job, see
        #: Client.complete_lease and Client.fail_lease.
        self.lease_token: str = m["lease"]
        self._streams: dict[str, TokenStream[Any]] = {}
        self._link = link
        self._once = Once(m.get("checkpoint"), lambda value: link.keep(self.lease_token, value))
        #: What an earlier attempt saved with checkpoint; None for nothing.
        self.last_checkpoint: Any = self._once.progress
        self._emits: list[Message] = []
        self._notifies: list[Message] = []
        self._kept: Message = {}

    def emit(self, channel: str, data: Any = None, *, client_id: str | None = None, **event: Any) -> None:
        """Sends an event on when the job completes.

        Client, key and correlation id are the job's unless said otherwise; the
        fields are those of Client.publish.
        """
        if len(self._emits) == _MOST_EMITS:
            raise bad_request(f"a job emits at most {_MOST_EMITS} events")
        self._emits.append(emit_fields(channel, data, client_id=client_id, **event))

    def notify(self, name: str, data: Any = None, *, client_id: str | None = None) -> None:
        """Sends a notification when the job completes, to the client whose event this is, or to another."""
        if len(self._notifies) == _MOST_EMITS:
            raise bad_request(f"a job sends at most {_MOST_EMITS} notifications")
        self._notifies.append(notify_fields(name, data, client_id=client_id))

    def result(self, value: Any) -> None:
        """Is kept with the completed job."""
        encode_value(value)
        self._kept["result"] = value

    def usage(self, value: Any) -> None:
        """Is kept in the lineage: tokens, say, or money."""
        encode_value(value)
        self._kept["usage"] = value

    def write(self, text: str) -> None:
        """Adds text to the job's first stream: see stream."""
        self.stream().write(text)

    def stream(self, name: str = "") -> TokenStream[str]:
        """What the job shows of its work, as text.

        The first stream has no name, and its id for readers is the event's; others
        are called event id, slash, name.
        """
        return self._stream_of(name, False)

    def binary_stream(self, name: str = "") -> TokenStream[bytes]:
        """A stream of bytes."""
        return self._stream_of(name, True)

    def _stream_of(self, name: str, binary: bool) -> TokenStream[Any]:
        found = self._streams.get(name)
        if found is None:
            found = TokenStream(self.lease_token, name, binary, self._say)
            self._streams[name] = found
        return found

    def _restream(self, session: Session) -> None:
        """Goes on with the streams in another session."""
        for stream in list(self._streams.values()):
            stream.resume(session)

    def _say(self, speak: Callable[[Session | None], None]) -> None:
        """Runs something on the event loop, with the session there is."""
        speak(self._link.session())

    def _outcome(self) -> Message:
        """What the handler asked for."""
        return {
            "type": "complete",
            "lease": self.lease_token,
            **self._kept,
            **given(emit=self._emits or None, notify=self._notifies or None),
        }


class Job(_Work):
    """The job of a handler that is a coroutine function.

    What it emits and notifies takes effect when the handler returns, all
    together or not at all. The handler is cancelled when the lease is lost, the
    event is canceled or the worker stops; ``ended`` says which.
    """

    def checkpoint(self, value: Any) -> None:
        """Saves progress for the next attempt, should there be one. It is sent at once, and replicated within seconds."""
        encode_value(value)
        self._link.checkpoint(self.lease_token, self._once.move(value))

    async def park(self, timeout_ms: float | None = None) -> None:
        """Takes the job off this worker's hands until somebody else ends it.

        Give lease_token to whoever will, best before. The handler should return
        then: what it raises, and what it emitted, changes nothing any more. After
        the timeout the job is lost, as with an expired lease; the cluster's default
        is seven days. An error means that the job may still be this worker's.
        """
        await self._link.park(self.lease_token, timeout_ms)

    async def once(self, key: str, fn: Callable[[], Any]) -> Any:
        """Runs fn if no attempt at the job has before, and returns its result.

        In later attempts it returns the result of that time, and fn is not
        called. fn is a coroutine function, or any other, which runs in a thread.
        The result is kept with the event, as JSON, before once returns. An
        exception of fn is raised as it is, and keeps nothing.

        Between the end of fn and the answer of the cluster the worker may still
        die: for that moment fn should carry an idempotency key of its own.
        """
        return await self._once.run(key, fn)


class BlockingJob(_Work):
    """The job of a handler that is a plain function, which runs in a thread.

    A thread cannot be stopped from outside: a long handler calls check now and then.
    """

    def __init__(self, m: Message, link: JobLink, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(m, link)
        self._loop = loop

    def check(self) -> None:
        """Raises why the job is to stop, if it is."""
        if self.ended is not None:
            raise self.ended

    def checkpoint(self, value: Any) -> None:
        """Saves progress for the next attempt, should there be one. It is sent at once, and replicated within seconds."""
        encode_value(value)
        self._loop.call_soon_threadsafe(lambda: self._link.checkpoint(self.lease_token, self._once.move(value)))

    def park(self, timeout_ms: float | None = None) -> None:
        """Takes the job off this worker's hands until somebody else ends it: see Job.park."""
        asyncio.run_coroutine_threadsafe(self._link.park(self.lease_token, timeout_ms), self._loop).result()

    def _say(self, speak: Callable[[Session | None], None]) -> None:
        self._loop.call_soon_threadsafe(lambda: speak(self._link.session()))

    def once(self, key: str, fn: Callable[[], T]) -> T:
        """Runs fn if no attempt at the job has before, and returns its result: see Job.once."""
        result: T = asyncio.run_coroutine_threadsafe(self._once.run(key, fn), self._loop).result()
        return result
