"""The session of session.mjs with Python's websockets: python3 peer.py ws://.../ws"""

import asyncio
import json
import sys

import websockets

WORDS = "0123456789abcdef €uro 水𝄞 "
PROTOCOL = "baton.v1.json"


class Peer:
    """A socket whose messages are compared as they come."""

    def __init__(self, socket):
        self.socket = socket

    async def say(self, message):
        await self.socket.send(json.dumps(message, ensure_ascii=False))

    async def expect(self, **fields):
        message = json.loads(await self.socket.recv())
        for name, want in fields.items():
            same(message.get(name), want, f"{name} of {message}")
        return message

    async def expect_close(self, code, reason=None):
        await self.socket.wait_closed()
        same(self.socket.close_code, code, f"the close code ({self.socket.close_reason})")
        if reason is not None:
            same(self.socket.close_reason, reason, "the reason")

    async def publish(self, request, channel, data=None):
        await self.say({"type": "publish", "id": request, "channel": channel, "data": data})
        await self.expect(type="ok", id=request)


def same(got, want, what):
    if got != want:
        raise AssertionError(f"{what} is {got!r}, want {want!r}")


async def connected(url, offer=PROTOCOL):
    return Peer(await websockets.connect(url, subprotocols=[offer], ping_interval=None))


async def greeted(url):
    peer = await connected(url)
    same(peer.socket.subprotocol, PROTOCOL, "the subprotocol")
    await peer.say({"type": "hello", "client_id": "peer"})
    await peer.expect(type="welcome", client_id="peer", protocol=PROTOCOL)
    return peer


def chopped(text, size):
    for at in range(0, len(text), size):
        yield text[at : at + size]


async def session(url):
    peer = await greeted(url)
    await peer.say({"type": "ping", "time": 5})
    await peer.expect(type="pong", time=5)
    await peer.publish(1, "big", WORDS * 25000)
    message = {"type": "publish", "id": 2, "channel": "fragmented", "data": WORDS * 25000}
    await peer.socket.send(chopped(json.dumps(message, ensure_ascii=False), 1300))
    await peer.expect(type="ok", id=2)
    # The library compares the pong with its ping.
    await (await peer.socket.ping("are you there?"))
    await peer.socket.pong("nobody asked")
    await peer.publish(3, "silence")
    await peer.expect(type="notify", name="heard")
    await peer.socket.close(4900, "that is all")
    await peer.expect_close(4900)

    peer = await greeted(url)
    await peer.say({"type": "publish", "id": 4, "channel": "stop", "data": None})
    await peer.expect_close(4000, "shutdown: as a test wishes")

    peer = await greeted(url)  # 4000 says to come again.
    await peer.socket.send("no JSON")
    await peer.expect(type="error", code=400)
    await peer.expect_close(4501)

    peer = await greeted(url)
    await peer.socket.send(b"\x01\x02\x03")
    await peer.expect_close(4501)

    peer = await greeted(url)
    await peer.socket.send(" " * ((1 << 20) + 1))
    await peer.expect_close(4505)

    peer = await connected(url, "mqtt")
    await peer.expect_close(4506)

    peer = await greeted(url)
    await peer.publish(5, "done")
    await peer.socket.close()
    await peer.expect_close(1000)


asyncio.run(session(sys.argv[1]))
