"""Runs of workflows, and messages for them: asked over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal, Union
from urllib.parse import quote

from ._http import ask_nodes
from ._messages import Message, given, payload_fields, payload_of
from ._settings import Settings
from .errors import BatonError, bad_request

#: Where a run stands.
RunState = Literal[
    "queued",
    "running",
    "paused",
    "canceling",
    "compensating",
    "incident",
    "succeeded",
    "failed",
    "canceled",
    "compensated",
    "partially_compensated",
]

#: What may be asked of a run. Retry, skip and fail resolve an incident.
RunAction = Literal["cancel", "pause", "resume", "retry", "skip", "fail", "redrive", "fork"]

#: Stands for data that was not given: None is JSON's null.
NO_DATA: Any = object()

# For how long one request waits for a run's end: less than a node may take.
_LONGEST_WAIT = "10s"
# How long to let a cluster be that cannot answer now, in seconds.
_RETRY_PAUSE = 0.5


@dataclass(frozen=True)
class StartedRun:
    """A run that has begun. ``duplicate``: the idempotency key had started it before."""

    run_id: str
    correlation_id: str
    duplicate: bool


@dataclass(frozen=True)
class RunError:
    """Why a run, or a step's job, failed last."""

    code: str
    message: str
    step: Union[str, None]


@dataclass(frozen=True)
class RunIncident:
    """Why a run is stuck.

    ``kind`` is step_failed, expression, compensation_failed, waiter_conflict or
    endless_circle.
    """

    kind: str
    message: str
    step: Union[str, None]
    item: int


@dataclass(frozen=True)
class RunItems:
    """A map's items."""

    total: int
    succeeded: int
    failed: int


@dataclass(frozen=True)
class RunWait:
    """A message, or a time, that a run waits for."""

    message: Union[str, None]
    key: Union[str, None]
    due_at: Union[datetime, None]


@dataclass(frozen=True)
class RunStep:
    """A job of a run's step; or a run that it called, which has a ``run_id``.

    ``iteration`` is how often the run came to the step before, ``item`` the number of a
    map's item, from 1.
    """

    step: str
    iteration: int
    item: int
    event_id: str
    channel: Union[str, None]
    run_id: Union[str, None]
    state: str
    attempts: int
    worker: Union[str, None]
    time: datetime
    started_at: Union[datetime, None]
    ended_at: Union[datetime, None]
    error: Union[RunError, None]
    usage: Any


@dataclass(frozen=True)
class RunCompensation:
    """Something that is undone if the run fails; ``state`` is registered, or that of its job."""

    step: str
    iteration: int
    item: int
    state: str
    event_id: Union[str, None]


@dataclass(frozen=True)
class Run:
    """A run of a workflow. What stands behind ``items`` is only in what run and await_run return.

    ``step`` is where it stands, or stood when it ended; ``from_run`` the run that it was
    forked from, ``parent_run`` the one that called it. ``input`` and ``result`` are bytes
    where bytes were given.
    """

    run_id: str
    workflow: str
    version: str
    state: RunState
    step: Union[str, None]
    client_id: Union[str, None]
    key: str
    correlation_id: str
    started_at: datetime
    ended_at: Union[datetime, None]
    timeout_at: Union[datetime, None]
    usage: Mapping[str, Union[int, float]]
    error: Union[RunError, None]
    incident: Union[RunIncident, None]
    from_run: Union[str, None]
    items: Union[RunItems, None]
    parent_run: Union[str, None]
    idempotency_key: Union[str, None]
    waits: list[RunWait]
    vars: Mapping[str, Any]
    steps: list[RunStep]
    steps_truncated: bool
    compensations: list[RunCompensation]
    input: Any
    result: Any


@dataclass(frozen=True)
class RunPage:
    """Runs, the newest first. ``cursor`` is where the next page begins, None where there is none."""

    runs: list[Run]
    cursor: Union[str, None]


async def start_run(settings: Settings, workflow: str, data: Any, *, headers: Mapping[str, str] | None, **said: Any) -> StartedRun:
    body = {
        "workflow": workflow,
        **given(tenant=settings.tenant, headers=None if headers is None else dict(headers), **said),
        **payload_fields(data),
    }
    m = await ask_nodes(settings, "/v1/runs", method="POST", body=body)
    return StartedRun(m["run_id"], m["correlation_id"], bool(m.get("duplicate")))


async def show_run(settings: Settings, run_id: str, wait: str | None = None) -> Run:
    path = "/v1/runs/" + quote(run_id, safe="")
    return _run(await ask_nodes(settings, path, query={"wait": wait, "tenant": settings.tenant}))


async def await_run(settings: Settings, run_id: str) -> Run:
    """Asks until the run has ended, also through changes of its leader."""
    while True:
        try:
            run = await show_run(settings, run_id, _LONGEST_WAIT)
            if run.ended_at is not None:
                return run
        except BatonError as refused:
            if not refused.retryable:
                raise
            await asyncio.sleep(max(_RETRY_PAUSE, refused.retry_after_ms / 1000))


async def list_runs(settings: Settings, *, since: datetime | None, until: datetime | None, **want: Any) -> RunPage:
    query = {**want, "since": _millis(since), "until": _millis(until), "tenant": settings.tenant}
    m = await ask_nodes(settings, "/v1/runs", query=query)
    return RunPage([_run(run) for run in m["runs"]], m.get("cursor"))


async def control_run(
    settings: Settings, run_id: str, action: RunAction, data: Any, idempotency_key: str, **said: Any
) -> str:
    body = {**given(**said), **({} if data is NO_DATA else payload_fields(data))}
    path = f"/v1/runs/{quote(run_id, safe='')}/{action}"
    query = {"tenant": settings.tenant}
    m = await ask_nodes(settings, path, method="POST", query=query, body=body, idempotency_key=idempotency_key)
    return str(m["run_id"])


async def send_message(
    settings: Settings, name: str, key: str, data: Any, idempotency_key: str, *, id: str | None, ttl_ms: int | None
) -> bool:
    if not name:
        raise bad_request("a message needs a name")
    body = {"name": name, "key": key, **given(id=id, ttl_ms=ttl_ms, tenant=settings.tenant), **payload_fields(data)}
    m = await ask_nodes(settings, "/v1/messages", method="POST", body=body, idempotency_key=idempotency_key)
    return bool(m.get("duplicate"))


def _millis(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, timezone.utc)


def _maybe_time(ms: int | None) -> datetime | None:
    return _time(ms) if ms else None


def _error(m: Message | None) -> RunError | None:
    return None if m is None else RunError(m["code"], m.get("message", ""), m.get("step"))


def _data(m: Message, name: str) -> Any:
    bytes_name = name + "_base64"
    return payload_of({"data_base64": m[bytes_name]} if bytes_name in m else {"data": m.get(name)})


def _run(m: Message) -> Run:
    incident, items = m.get("incident"), m.get("items")
    return Run(
        run_id=m["run_id"],
        workflow=m["workflow"],
        version=m["version"],
        state=m["state"],
        step=m.get("step"),
        client_id=m.get("client_id"),
        key=m["key"],
        correlation_id=m["correlation_id"],
        started_at=_time(m["started_at"]),
        ended_at=_maybe_time(m.get("ended_at")),
        timeout_at=_maybe_time(m.get("timeout_at")),
        usage=m["usage"],
        error=_error(m.get("error")),
        incident=incident
        and RunIncident(incident["kind"], incident.get("message", ""), incident.get("step"), incident.get("item", 0)),
        from_run=m.get("from"),
        items=items and RunItems(items["total"], items["succeeded"], items["failed"]),
        parent_run=m.get("parent_run"),
        idempotency_key=m.get("idempotency_key"),
        waits=[RunWait(w.get("message"), w.get("key"), _maybe_time(w.get("due_at"))) for w in m.get("waits") or []],
        vars=m.get("vars") or {},
        steps=[_step(step) for step in m.get("steps") or []],
        steps_truncated=bool(m.get("steps_truncated")),
        compensations=[
            RunCompensation(c["step"], c.get("iteration", 0), c.get("item", 0), c["state"], c.get("event_id"))
            for c in m.get("compensations") or []
        ],
        input=_data(m, "input"),
        result=_data(m, "result"),
    )


def _step(s: Message) -> RunStep:
    return RunStep(
        step=s["step"],
        iteration=s.get("iteration", 0),
        item=s.get("item", 0),
        event_id=s["event_id"],
        channel=s.get("channel"),
        run_id=s.get("run_id"),
        state=s["state"],
        attempts=s.get("attempts", 0),
        worker=s.get("worker"),
        time=_time(s["time"]),
        started_at=_maybe_time(s.get("started_at")),
        ended_at=_maybe_time(s.get("ended_at")),
        error=_error(s.get("error")),
        usage=s.get("usage"),
    )
