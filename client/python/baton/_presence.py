"""Whether a client is connected, and how far each of its devices is: asked over HTTP."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Union
from urllib.parse import quote

from ._messages import Message
from ._nodes import web_urls
from ._settings import Settings
from ._token import token_of
from .errors import BatonError, ConnectError, error_of

# How long one node may take, in seconds.
_HTTP_TIMEOUT = 20.0


@dataclass(frozen=True)
class DevicePresence:
    """One of a client's devices: connected now, or with a cursor that was kept.

    ``nodes`` hold its sockets, once for each. ``sent`` is the last number that a
    socket was sent, 0 where there is none; ``acked`` the last that it acknowledged, at
    ``acked_time`` (None for never), and ``lag`` how many it has not, of those that are
    kept.
    """

    device_id: str
    connected: bool
    nodes: list[str]
    sent: int
    acked: int
    lag: int
    acked_time: Union[datetime, None]


@dataclass(frozen=True)
class Presence:
    """Whether some socket takes the client's stream now, and how far its devices are.

    ``seq`` is the last notification's number, 0 for none; ``oldest`` the first that is
    kept, ``seq + 1`` where nothing is.
    """

    client_id: str
    tenant: str
    connected: bool
    epoch: str
    seq: int
    oldest: int
    devices: list[DevicePresence]


async def presence_of(client_id: str, settings: Settings) -> Presence:
    """Asks one node after the other until one answers."""
    query = "" if settings.tenant is None else "?tenant=" + quote(settings.tenant, safe="")
    nodes = web_urls(settings.nodes)
    last: Exception | None = None
    refusal: BatonError | None = None
    for node in nodes:
        request = urllib.request.Request(f"{node}/v1/clients/{quote(client_id, safe='')}{query}")
        token = await token_of(settings.token)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            return _presence(await asyncio.to_thread(_get, request, settings))
        except BatonError as refused:
            if not refused.retryable:
                raise
            refusal = refused
        except (OSError, ValueError) as error:
            last = error
    if refusal is not None:
        raise refusal
    raise ConnectError(nodes, last) from last


def _get(request: urllib.request.Request, settings: Settings) -> Message:
    """The JSON of one answer; raises BatonError, OSError or ValueError."""
    try:
        with urllib.request.urlopen(request, timeout=_HTTP_TIMEOUT, context=settings.ssl) as response:
            answer: Message = json.load(response)
            return answer
    except urllib.error.HTTPError as refused:
        with refused:
            problem = json.load(refused)
        raise error_of({"code": refused.code, "message": problem.get("detail", refused.reason), **problem}) from None


def _presence(m: Message) -> Presence:
    devices = [
        DevicePresence(
            device_id=d["device_id"],
            connected=d["connected"],
            nodes=d.get("nodes") or [],
            sent=d.get("sent", 0),
            acked=d["acked"],
            lag=d["lag"],
            acked_time=datetime.fromtimestamp(d["acked_time"] / 1000, timezone.utc) if d.get("acked_time") else None,
        )
        for d in m.get("devices") or []
    ]
    return Presence(m["client_id"], m["tenant"], m["connected"], m["epoch"], m["seq"], m["oldest"], devices)
