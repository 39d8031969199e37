"""A node that a test plays, over real sockets."""

from __future__ import annotations

import asyncio
import json
import sys
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import websockets  # noqa: E402

import baton  # noqa: E402

PATIENCE = 20.0


class Connection:
    """One connection of the client to the node."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.ended = asyncio.Event()

    async def say(self, *messages: dict[str, Any]) -> None:
        await self.socket.send("\n".join(json.dumps(m) for m in messages))

    async def expect(self, kind: str) -> dict[str, Any]:
        """The next message, which must be of this type; renewals may come between."""
        while True:
            message = await asyncio.wait_for(self.heard.get(), PATIENCE)
            if message["type"] == kind:
                return message
            assert message["type"] == "renew", f"{message}, want {kind}"

    async def ok(self, request: dict[str, Any], **fields: Any) -> None:
        await self.say({"type": "ok", "id": request["id"], **fields})

    async def refuse(self, request: dict[str, Any], code: int, reason: str, retryable: bool = False, retry_after_ms: int = 0) -> None:
        await self.say(
            {"type": "error", "id": request["id"], "code": code, "reason": reason, "message": "no", "retryable": retryable,
             "retry_after_ms": retry_after_ms}
        )

    async def welcome(self, **fields: Any) -> dict[str, Any]:
        hello = await self.expect("hello")
        limits = {"max_in_flight": 64, "window": 64}
        await self.say({"type": "welcome", "session": "s", "node": "n0", "epoch": "e1", "seq": 0, "limits": limits, **fields})
        return hello

    async def cut(self) -> None:
        self.socket.transport.abort()


class FakeNodeCase(unittest.IsolatedAsyncioTestCase):
    """A test with a node of its own."""

    async def asyncSetUp(self) -> None:
        self.connections: asyncio.Queue[Connection] = asyncio.Queue()
        self.server = await websockets.serve(self._serve, "127.0.0.1", 0, subprotocols=["baton.v1.json"])
        self.url = "http://127.0.0.1:%d" % list(self.server.sockets)[0].getsockname()[1]
        self.client: baton.Client | None = None

    async def asyncTearDown(self) -> None:
        if self.client:
            await self.client.close()
        self.server.close()

    async def _serve(self, socket: Any, path: str = "") -> None:
        connection = Connection(socket)
        await self.connections.put(connection)
        try:
            async for frame in socket:
                for line in frame.split("\n"):
                    message = json.loads(line)
                    await connection.heard.put(message)
                    if message["type"] == "bye":
                        return
        except websockets.exceptions.ConnectionClosed:
            pass

    async def next(self) -> Connection:
        return await asyncio.wait_for(self.connections.get(), PATIENCE)

    async def connected(self, welcome: dict[str, Any] | None = None, **options: Any) -> tuple[baton.Client, Connection, dict[str, Any]]:
        """A client, its first connection and what it said in hello."""
        async def open() -> baton.Client:
            return await baton.connect(self.url, min_backoff=0.001, max_backoff=0.001, **options)

        connecting = asyncio.create_task(open())
        connection = await self.next()
        hello = await connection.welcome(**(welcome or {}))
        self.client = await connecting
        return self.client, connection, hello
