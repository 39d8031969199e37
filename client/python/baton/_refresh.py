"""Sends a fresh token before the present one is over, without reconnecting."""

from __future__ import annotations

import asyncio
import logging

from ._flight import Flight
from ._session import Session
from ._token import Token, token_of
from .errors import ClosedError, SessionLostError

log = logging.getLogger("baton")

# How much of a token's life is over when it is refreshed.
_PART = 0.8
# The pause before a source is asked again that gave no token, or one that was
# refused, in seconds.
_AGAIN = 5.0


class Refresh:
    def __init__(self, flight: Flight, token: Token | None) -> None:
        self._flight = flight
        self._token = token
        self._task: asyncio.Task[None] | None = None

    def attach(self, session: Session) -> None:
        self.detach()
        if callable(self._token) and session.token_expires_ms:
            self._task = asyncio.get_running_loop().create_task(self._run(session.token_expires_ms))

    def detach(self) -> None:
        if self._task:
            self._task.cancel()
        self._task = None

    async def _run(self, left_ms: float) -> None:
        pause = left_ms / 1000 * _PART
        while pause > 0:
            await asyncio.sleep(pause)
            try:
                ok = await self._flight.ask_once({"type": "auth", "token": await token_of(self._token)})
                pause = ok.get("token_expires_ms", 0) / 1000 * _PART
            except (SessionLostError, ClosedError):
                return
            except Exception as error:
                log.warning("no fresh token: %s", error)
                pause = _AGAIN
