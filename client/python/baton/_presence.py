"""Whether a client is connected, and how far each of its devices is: asked over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Union
from urllib.parse import quote

from ._http import ask_nodes
from ._messages import Message
from ._settings import Settings


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
    """Asks over HTTP."""
    path = "/v1/clients/" + quote(client_id, safe="")
    return _presence(await ask_nodes(settings, path, query={"tenant": settings.tenant}))


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
