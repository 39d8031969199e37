"""What an event may say, and where it was stored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ._messages import Message, check_name, given, payload_fields
from .errors import bad_request


@dataclass(frozen=True)
class Receipt:
    """Where an event was stored. ``duplicate``: the idempotency key was used before, and the rest is the first event's."""

    event_id: str
    correlation_id: str
    offset: int
    duplicate: bool


def event_fields(
    channel: str,
    data: Any,
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
) -> Message:
    """The event as the protocol has it."""
    check_name("channel", channel)
    fields = given(
        channel=channel,
        key=key,
        idempotency_key=idempotency_key,
        correlation_id=correlation_id,
        causation_id=causation_id,
        client_seq=client_seq,
        priority=priority,
        headers=dict(headers) if headers else None,
        content_type=content_type,
        delay_ms=whole("delay_ms", delay_ms),
        deliver_at=None if deliver_at is None else int(deliver_at.timestamp() * 1000),
        ttl_ms=whole("ttl_ms", ttl_ms),
        on_end=on_end,
        client_id=client_id,
    )
    return {**fields, **payload_fields(data)}


def whole(name: str, ms: float | None) -> int | None:
    """Milliseconds, rounded up: a delay of less than one is not none."""
    if ms is None:
        return None
    if not ms >= 0:
        raise bad_request(f"{name} must not be negative")
    return math.ceil(ms)
