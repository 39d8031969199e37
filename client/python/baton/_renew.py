"""Keeps the leases of a worker's jobs alive."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ._messages import Message
from ._session import Session
from .errors import lease_lost

if TYPE_CHECKING:
    from ._worker import Running

# A lease is renewed when a third of it is over, so that two renewals may be lost
# on the way. Leases are looked at six times a term, so that those that are due
# together go together.
_RENEWALS_PER_LEASE = 3
_LOOKS_PER_LEASE = 6
_LEAST_INTERVAL = 0.010
# How many leases share a message.
_RENEW_AT_ONCE = 256


class Renewals:
    def __init__(self, jobs: Mapping[str, Running]) -> None:
        self._jobs = jobs
        self._session: Session | None = None
        self._interval = float("inf")
        self._task: asyncio.Task[None] | None = None

    def attach(self, session: Session) -> None:
        """The old socket's leases may be lost: all are renewed over the new one."""
        self._session = session
        self._renew([running for running in self._jobs.values() if not running.parked])

    def look(self, lease_ms: int) -> None:
        """Looks often enough for a lease of this length."""
        every = max(lease_ms / 1000 / _LOOKS_PER_LEASE, _LEAST_INTERVAL)
        if every < self._interval or self._task is None:
            self._interval = min(every, self._interval)
            self.stop()
            self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        if self._task:
            self._task.cancel()
        self._task = None

    def renewed(self, m: Message) -> None:
        """Takes note of new terms, and of leases that are lost."""
        now = asyncio.get_running_loop().time()
        for renewal in m.get("leases") or []:
            running = self._jobs.get(renewal["lease"])
            if running:
                running.begun = now
                running.expires = now + renewal["lease_ms"] / 1000
        for lease in m.get("lost") or []:
            running = self._jobs.get(lease)
            if running and not running.parking and not running.parked:
                running.lost = True
                running.stop(lease_lost())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            now = asyncio.get_running_loop().time()
            due = []
            for running in list(self._jobs.values()):
                if running.parked:
                    continue
                if now > running.expires and not running.parking:
                    # Not known for certain: what the handler returns is still
                    # sent, and the cluster decides.
                    running.stop(lease_lost())
                term = running.job.lease_ms / 1000 / _RENEWALS_PER_LEASE
                if now - running.begun >= term - self._interval / 2:
                    due.append(running)
            self._renew(due)

    def _renew(self, due: list[Running]) -> None:
        if self._session is None:
            return
        for at in range(0, len(due), _RENEW_AT_ONCE):
            leases = [running.lease for running in due[at : at + _RENEW_AT_ONCE]]
            self._session.send({"type": "renew", "leases": leases})
