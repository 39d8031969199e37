"""Something that several clients are notified of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ._messages import Message, given, payload_fields
from .errors import bad_request

# How many clients a broadcast may name.
_MOST_CLIENTS = 10_000


@dataclass(frozen=True)
class BroadcastReceipt:
    """What a broadcast came to.

    No event can be looked up under its id; the lineage shows who was notified.
    ``duplicate``: the idempotency key was used before, and all had it already.
    """

    event_id: str
    correlation_id: str
    duplicate: bool


def broadcast_message(
    client_ids: Sequence[str],
    name: str,
    data: Any,
    *,
    idempotency_key: str,
    correlation_id: str | None,
    causation_id: str | None,
) -> Message:
    """The broadcast as the protocol has it."""
    if isinstance(client_ids, str) or not 1 <= len(client_ids) <= _MOST_CLIENTS:
        raise bad_request(f"a broadcast names a list of 1 to {_MOST_CLIENTS} clients")
    fields = given(idempotency_key=idempotency_key, correlation_id=correlation_id, causation_id=causation_id)
    return {"type": "broadcast", "client_ids": list(client_ids), "name": name, **fields, **payload_fields(data)}
