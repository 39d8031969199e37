"""Token streams, parking and ends from outside, with what a node says."""

from __future__ import annotations

import asyncio
from typing import Any

from fake import PATIENCE, Connection, FakeNodeCase, baton
from test_client import job


def chunk(attempt: int, offset: int, data: Any = None, **fields: Any) -> dict[str, Any]:
    return {"type": "chunk", "stream": "e1", "correlation_id": "c", "attempt": attempt, "offset": offset, "data": data, **fields}


def said(m: dict[str, Any]) -> tuple[Any, ...]:
    return m["offset"], m.get("data", m.get("data_base64")), m.get("final")


class Working(FakeNodeCase):
    async def working(self, handler: Any, **options: Any) -> Connection:
        client, connection, _ = await self.connected()
        client.work("q", handler, **options)
        await connection.ok(await connection.expect("subscribe"), subscription="s1")
        await connection.say(job("l1"))
        return connection

    async def test_a_stream_is_said_again_on_another_socket_before_the_jobs_end(self) -> None:
        finish = asyncio.Event()

        async def handler(j: baton.Job) -> None:
            j.write("bâ𝄞")
            j.write("\ud834!")
            await finish.wait()

        connection = await self.working(handler)
        self.assertEqual(said(await connection.expect("chunk")), (0, "bâ𝄞", None))
        self.assertEqual((await connection.expect("chunk"))["offset"], 7)
        await connection.cut()
        finish.set()
        second = await self.next()
        await second.welcome()
        self.assertEqual(said(await second.expect("chunk")), (0, "bâ𝄞", None))
        self.assertEqual((await second.expect("chunk"))["offset"], 7)
        while (m := await asyncio.wait_for(second.heard.get(), PATIENCE))["type"] != "complete":
            self.assertNotEqual(m["type"], "chunk")

    async def test_an_ended_stream_is_said_again_with_its_end(self) -> None:
        finish = asyncio.Event()

        async def handler(j: baton.Job) -> None:
            j.write("a")
            j.stream().close()
            await finish.wait()

        connection = await self.working(handler)
        self.assertEqual(said(await connection.expect("chunk")), (0, "a", None))
        self.assertEqual(said(await connection.expect("chunk")), (1, None, True))
        await connection.cut()
        finish.set()
        second = await self.next()
        await second.welcome()
        self.assertEqual(said(await second.expect("chunk")), (0, "a", None))
        self.assertEqual(said(await second.expect("chunk")), (1, None, True))

    async def test_a_thread_writes_long_text_and_bytes_and_closes(self) -> None:
        long = "水" * 10_000

        def handler(j: baton.BlockingJob) -> None:
            j.stream("notes").write(long)
            j.stream("notes").close()
            j.stream("notes").write("too late")
            j.binary_stream("raw").write(b"\x00\xff")
            for wrong in (lambda: j.stream("notes").write(b"bytes"), lambda: j.stream("a/b")):  # type: ignore[arg-type]
                try:
                    wrong()
                except baton.BadRequestError:
                    continue
                raise baton.PermanentError("it was not refused")

        connection = await self.working(handler)
        text, final = "", False
        while not final:
            m = await connection.expect("chunk")
            self.assertEqual((m["stream"], m["offset"]), ("notes", len(text.encode())))
            text += m.get("data", "")
            final = m.get("final", False)
        self.assertEqual(text, long)
        self.assertEqual(said(await connection.expect("chunk")), (0, "AP8=", None))
        await connection.expect("complete")

    async def test_a_parked_job_is_its_workers_no_more(self) -> None:
        reports: list[Any] = []
        reported = asyncio.Event()

        async def handler(j: baton.Job) -> None:
            await j.park(1.5)
            raise RuntimeError("behind the park")

        def report(_: Any, error: BaseException | None) -> None:
            reports.append(error)
            reported.set()

        connection = await self.working(handler, report=report)
        park = await connection.expect("park")
        self.assertEqual((park["lease"], park["timeout_ms"]), ("l1", 2))
        await connection.say({"type": "renewed", "leases": [], "lost": ["l1"]})
        await connection.ok(park)
        await asyncio.wait_for(reported.wait(), PATIENCE)
        self.assertIsInstance(reports[0], baton.ParkedError)
        self.assertEqual(str(reports[0].__cause__), "behind the park")
        self.assertTrue(connection.heard.empty())

    async def test_a_lease_is_ended_from_outside(self) -> None:
        client, connection, _ = await self.connected()
        completing = asyncio.create_task(
            client.complete_lease("l1", result={"a": 1}, emit=[{"channel": "next", "data": 7, "client_id": "bob"}], notify=[{"name": "n", "data": b"\x01"}])
        )
        complete = await connection.expect("complete")
        number = complete.pop("id")
        self.assertEqual(complete, {
            "type": "complete", "lease": "l1", "result": {"a": 1}, "emit": [{"channel": "next", "data": 7, "client_id": "bob"}],
            "notify": [{"name": "n", "data_base64": "AQ=="}],
        })
        await connection.ok({"id": number}, events=["e9", None])
        self.assertEqual(await completing, ["e9", None])
        failing = asyncio.create_task(client.fail_lease("l2", baton.PermanentError("no", code="rejected")))
        fail = await connection.expect("fail")
        self.assertEqual((fail["error"]["code"], fail["retryable"]), ("rejected", False))
        await connection.refuse(fail, 409, "lease_lost")
        with self.assertRaises(baton.LeaseLostError):
            await failing
        with self.assertRaises(baton.BadRequestError):
            await client.complete_lease("")


class Credentials(FakeNodeCase):
    async def test_a_source_gives_a_fresh_token_for_each_connection_and_in_time(self) -> None:
        given = 0

        async def source() -> str:
            nonlocal given
            given += 1
            if given == 3:
                raise RuntimeError("no token for once")
            return f"t{given}"

        _, connection, hello = await self.connected({"token_expires_ms": 1}, token=source)
        self.assertEqual(hello["token"], "t1")
        auth = await connection.expect("auth")
        self.assertEqual(auth["token"], "t2")
        await connection.ok(auth)  # For ever.
        await connection.cut()
        second = await self.next()
        self.assertEqual((await second.welcome())["token"], "t4")


class Reading(FakeNodeCase):
    async def test_a_reader_goes_on_behind_what_it_has(self) -> None:
        client, connection, _ = await self.connected()
        chunks = client.read_stream("e1", baton.StreamPosition(1, 3))
        first = asyncio.ensure_future(chunks.__anext__())
        read = await connection.expect("read")
        self.assertEqual((read["stream"], read["attempt"], read["offset"]), ("e1", 1, 3))
        await connection.say(chunk(1, 0, "not asked for yet"), {"type": "ok", "id": read["id"]}, chunk(1, 0, "ab"), chunk(1, 0, "abc水"))
        self.assertEqual(await first, baton.Chunk("e1", "c", 1, 3, "水", baton.StreamPosition(1, 6), False, False))
        await connection.cut()
        second = await self.next()
        await second.welcome()
        again = await second.expect("read")
        self.assertEqual((again["attempt"], again["offset"]), (1, 6))
        await second.say(
            {"type": "ok", "id": again["id"]}, {"type": "reset", "stream": "e1", "attempt": 2}, chunk(2, 0, "x"), chunk(3, 0, "y"),
            chunk(3, 1, final=True),
        )
        rest = [(c.attempt, c.data, c.reset, c.final) async for c in chunks]
        self.assertEqual(rest, [(2, "", True, False), (2, "x", False, False), (3, "y", True, False), (3, "", False, True)])

    async def test_reading_waits_for_its_turn_and_ends_with_a_refusal(self) -> None:
        client, connection, _ = await self.connected()
        first = asyncio.ensure_future(client.read_stream("e1").__anext__())
        await connection.refuse(await connection.expect("read"), 503, "overloaded", True, 1)
        await connection.refuse(await connection.expect("read"), 404, "not_found")
        with self.assertRaises(baton.NotFoundError):
            await first

    async def test_a_slow_reader_asks_again(self) -> None:
        client, connection, _ = await self.connected()
        chunks = client.read_stream("e1")
        first = asyncio.ensure_future(chunks.__anext__())
        read = await connection.expect("read")
        data = "x" * 300_000
        for n in range(5):
            await connection.say(*([{"type": "ok", "id": read["id"]}] if n == 0 else []), chunk(1, n * len(data), data))
        await first
        await connection.say({"type": "ping", "time": 1})
        await connection.expect("pong")  # All chunks have come.
        end = 300_000
        while end < 1_500_000 - 300_000:
            end = (await chunks.__anext__()).position.offset
        last = asyncio.ensure_future(chunks.__anext__())
        again = asyncio.ensure_future(connection.expect("read"))
        await asyncio.wait([last, again], return_when=asyncio.FIRST_COMPLETED)
        if not again.done():
            self.assertEqual((await last).position.offset, 1_500_000)
            last = asyncio.ensure_future(chunks.__anext__())
        m = await again
        await connection.say({"type": "ok", "id": m["id"]}, chunk(1, m["offset"], "end", final=True))
        self.assertEqual((await last).data, "end")
