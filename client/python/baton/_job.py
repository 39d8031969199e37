"""An event that is leased to a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from ._event import event_fields
from ._messages import Message, encode_value, given, payload_fields, payload_of
from ._once import Once
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
        self._lease: str = m["lease"]
        self._link = link
        self._once = Once(m.get("checkpoint"), lambda value: link.keep(self._lease, value))
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
        fields = {**given(client_id=client_id), **event_fields(channel, data, **event)}
        encode_value(fields)
        self._emits.append(fields)

    def notify(self, name: str, data: Any = None, *, client_id: str | None = None) -> None:
        """Sends a notification when the job completes, to the client whose event this is, or to another."""
        if not name:
            raise bad_request("a notification needs a name")
        if len(self._notifies) == _MOST_EMITS:
            raise bad_request(f"a job sends at most {_MOST_EMITS} notifications")
        fields = {**given(client_id=client_id), "name": name, **payload_fields(data)}
        encode_value(fields)
        self._notifies.append(fields)

    def result(self, value: Any) -> None:
        """Is kept with the completed job."""
        encode_value(value)
        self._kept["result"] = value

    def usage(self, value: Any) -> None:
        """Is kept in the lineage: tokens, say, or money."""
        encode_value(value)
        self._kept["usage"] = value

    def _outcome(self) -> Message:
        """What the handler asked for."""
        return {
            "type": "complete",
            "lease": self._lease,
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
        self._link.checkpoint(self._lease, self._once.move(value))

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
        self._loop.call_soon_threadsafe(lambda: self._link.checkpoint(self._lease, self._once.move(value)))

    def once(self, key: str, fn: Callable[[], T]) -> T:
        """Runs fn if no attempt at the job has before, and returns its result: see Job.once."""
        result: T = asyncio.run_coroutine_threadsafe(self._once.run(key, fn), self._loop).result()
        return result
