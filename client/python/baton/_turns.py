"""Keeps what is asked for in a session below what the node takes at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from ._session import Session

Ask = Callable[[], Awaitable[None]]


class Turns:
    """A backend that comes back may have thousands of listens to ask for."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._taken = 0
        self._waiting: deque[Ask] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def enter(self, session: Session, ask: Ask) -> None:
        """Calls ask, when there is a turn in this session. The turn is over when ask is, which must not raise.

        Those of the session before have none any more.
        """
        if self._session is not session:
            self._session = session
            self._taken = 0
            self._waiting.clear()
        self._waiting.append(ask)
        if self._taken < max(session.max_in_flight // 2, 1):
            self._taken += 1
            task = asyncio.get_running_loop().create_task(self._run(session))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, session: Session) -> None:
        while self._session is session:
            if not self._waiting:
                self._taken -= 1
                return
            await self._waiting.popleft()()
