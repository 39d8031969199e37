"""How a job ends: what complete and fail say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ._event import event_fields
from ._messages import Message, encode_value, given, payload_fields
from .errors import JobError, bad_request

# How many letters a lease has at most.
_MOST_OPAQUE = 512
# How many letters of an exception's text the lineage keeps.
_MESSAGE_LETTERS = 1000


def emit_fields(channel: str, data: Any = None, *, client_id: str | None = None, **event: Any) -> Message:
    """An event to be sent on; the fields are those of Client.publish."""
    fields = {**given(client_id=client_id), **event_fields(channel, data, **event)}
    encode_value(fields)
    return fields


def notify_fields(name: str, data: Any = None, *, client_id: str | None = None) -> Message:
    """A notification to be sent."""
    if not name:
        raise bad_request("a notification needs a name")
    fields = {**given(client_id=client_id), "name": name, **payload_fields(data)}
    encode_value(fields)
    return fields


def complete_fields(
    lease: str, result: Any, usage: Any, emit: list[Mapping[str, Any]], notify: list[Mapping[str, Any]]
) -> Message:
    """The end of a job that is completed from outside."""
    _check(lease)
    emits = [emit_fields(**event) for event in emit]
    notifies = [notify_fields(**notice) for notice in notify]
    return {
        "type": "complete",
        "lease": lease,
        **given(result=result, usage=usage, emit=emits or None, notify=notifies or None),
    }


def fail_fields(lease: str, failure: BaseException | str) -> Message:
    """The failure of a job, as its handler's exception would have it."""
    _check(lease)
    error = failure if isinstance(failure, JobError) else JobError(str(failure) or type(failure).__name__)
    return {
        "type": "fail",
        "lease": lease,
        "error": {"code": error.code, "message": str(error)[:_MESSAGE_LETTERS], **given(detail=error.detail)},
        **given(
            retryable=False if error.permanent else None,
            retry_after_ms=math.ceil(error.retry_after_ms) or None,
            throttled=error.throttled or None,
        ),
    }


def _check(lease: str) -> None:
    if not isinstance(lease, str) or not 0 < len(lease) <= _MOST_OPAQUE:
        raise bad_request(f"a lease has 1 to {_MOST_OPAQUE} letters")
