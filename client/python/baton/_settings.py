"""Which cluster to connect to, and as whom."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Union

from ._token import Token
from .store import Position, Store


@dataclass(frozen=True)
class Settings:
    """What ``connect`` was given; see there."""

    nodes: str | Sequence[str]
    client_id: str | None = None
    device_id: str | None = None
    tenant: str | None = None
    token: Token | None = None
    name: str | None = None
    window: int | None = None
    resume: Union[Position, Literal["live"], None] = None
    store: Store | None = None
    in_order: bool = False
    given_only: bool = False
    ssl: ssl.SSLContext | None = None
    connect_attempts: int = 0
    connect_timeout: float = 5.0
    min_backoff: float = 0.05
    max_backoff: float = 5.0
    probe_interval: float = 3.0
    ack_delay: float = 0.005
    max_pending: int = 4096

    def __post_init__(self) -> None:
        for name in ("connect_attempts", "connect_timeout", "min_backoff", "max_backoff", "ack_delay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")
        if self.probe_interval <= 0 or self.max_pending < 1:
            raise ValueError("probe_interval and max_pending must be positive")
        if not self.client_id and (self.device_id or self.resume):
            raise ValueError("device_id and resume need a client_id")
