"""What the client does with what a node says, where no cluster can be made to say it."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import unittest

from fake import PATIENCE, FakeNodeCase, baton


def notify(seq: int) -> dict:
    return {"type": "notify", "seq": seq, "name": "n", "event_id": "e", "correlation_id": "c", "causation_id": "c", "time": 1, "data": seq}


def job(lease: str, **fields: object) -> dict:
    return {"type": "job", "subscription": "s1", "lease": lease, "fence": 1, "event_id": "e1", "channel": "work", "group": "default",
            "attempt": 1, "lease_ms": 60_000, "key": "k", "correlation_id": "c", "causation_id": "c", "tenant": "default", "data": 1, **fields}


class Publishing(FakeNodeCase):
    async def test_what_was_not_answered_goes_out_again_under_its_key(self) -> None:
        client, connection, _ = await self.connected()
        published = asyncio.create_task(client.publish("q", None, key="k", delay_ms=1.5))
        first = await connection.expect("publish")
        self.assertEqual((first["data"], first["key"], first["delay_ms"]), (None, "k", 2))
        await connection.cut()
        second = await self.next()
        await second.welcome()
        again = await second.expect("publish")
        self.assertEqual(again, first)
        await second.ok(again, event_id="e", correlation_id="c", offset=7, duplicate=True)
        self.assertEqual(await published, baton.Receipt("e", "c", 7, True))

    async def test_a_refusal_that_may_pass_is_waited_out(self) -> None:
        client, connection, _ = await self.connected()
        published = asyncio.create_task(client.publish("q", 1))
        first = await connection.expect("publish")
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await connection.refuse(first, 429, "rate_limited", True, 60)
        second = await connection.expect("publish")
        self.assertGreaterEqual(loop.time() - begin, 0.059)
        self.assertEqual(second["idempotency_key"], first["idempotency_key"])
        await connection.ok(second, event_id="e", correlation_id="c", offset=1)
        self.assertFalse((await published).duplicate)

    async def test_no_more_is_at_the_node_than_it_allows(self) -> None:
        client, connection, _ = await self.connected({"limits": {"max_in_flight": 2}})
        published = [asyncio.create_task(client.publish("q", n)) for n in range(3)]
        first, second = await connection.expect("publish"), await connection.expect("publish")
        self.assertTrue(connection.heard.empty())
        await connection.ok(second, event_id="1", correlation_id="c", offset=1)
        for m in (first, await connection.expect("publish")):
            await connection.ok(m, event_id=str(m["data"]), correlation_id="c", offset=1)
        self.assertEqual([r.event_id for r in await asyncio.gather(*published)], ["0", "1", "2"])

    async def test_who_gives_up_leaves_nothing_behind(self) -> None:
        client, connection, _ = await self.connected()
        published = asyncio.create_task(client.publish("q", 1))
        await connection.expect("publish")
        published.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await published
        await connection.cut()
        second = await self.next()
        await second.welcome()
        other = asyncio.create_task(client.publish("q", 2))
        self.assertEqual((await second.expect("publish"))["data"], 2)
        other.cancel()

    async def test_what_does_not_encode_is_refused_here(self) -> None:
        client, _, _ = await self.connected()
        for data in (object(), float("nan"), "\ud800"):
            with self.assertRaises((TypeError, ValueError)):
                await client.publish("q", data)

    async def test_a_close_code_that_is_for_good_ends_the_client(self) -> None:
        client, connection, _ = await self.connected()
        published = asyncio.create_task(client.publish("q", 1))
        await connection.expect("publish")
        await connection.socket.close(4500, "the token is not valid any more")
        with self.assertRaises(baton.RejectedError) as caught:
            await published
        self.assertEqual(caught.exception.code, 4500)
        with self.assertRaises(baton.RejectedError):
            await client.wait()

    async def test_a_silent_node_is_left(self) -> None:
        client, connection, _ = await self.connected(probe_interval=0.02)
        published = asyncio.create_task(client.publish("q", 1))
        await connection.expect("publish")
        await connection.expect("ping")
        second = await self.next()
        await second.welcome()
        await second.ok(await second.expect("publish"), event_id="e", correlation_id="c", offset=1)
        await published

    async def test_no_node_is_an_error_with_the_last_answer(self) -> None:
        async def open() -> baton.Client:
            return await baton.connect(self.url, connect_attempts=1)

        connecting = asyncio.create_task(open())
        connection = await self.next()
        await connection.expect("hello")
        await connection.say({"type": "error", "code": 503, "reason": "no_leader", "message": "no", "retryable": True})
        await connection.socket.close(4002, "not ready")
        with self.assertRaises(baton.ConnectError) as caught:
            await connecting
        assert caught.exception.refusal
        self.assertEqual(caught.exception.refusal.reason, "no_leader")


class TurnedAway(FakeNodeCase):
    async def _open(self, **options: object) -> baton.Client:
        return await baton.connect(self.url, min_backoff=0.001, max_backoff=0.001, **options)  # type: ignore[arg-type]

    async def test_who_is_turned_away_comes_back_when_the_bye_says(self) -> None:
        connecting = asyncio.create_task(self._open())
        connection = await self.next()
        await connection.expect("hello")
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await connection.say({"type": "bye", "reason": "limit", "reconnect": True, "after_ms": 60})
        await connection.socket.close(4029, "abuse of limits")
        second = await self.next()
        self.assertGreaterEqual(loop.time() - begin, 0.059)
        await second.welcome()
        self.client = await connecting

    async def test_a_bye_for_good_is_a_refusal(self) -> None:
        connecting = asyncio.create_task(self._open())
        connection = await self.next()
        await connection.expect("hello")
        await connection.say({"type": "bye", "reason": "this tenant is no more", "reconnect": False})
        await connection.socket.close(1000)
        with self.assertRaises(baton.RejectedError) as caught:
            await asyncio.wait_for(connecting, PATIENCE)
        self.assertEqual(caught.exception.reason, "this tenant is no more")


class Listening(FakeNodeCase):
    async def test_what_was_left_comes_again_and_the_rest_is_acknowledged(self) -> None:
        client, connection, hello = await self.connected(client_id="ana")
        self.assertIs(hello["ready"], False)
        await connection.say(notify(1), notify(2))
        async for n in client.notifications():
            if n.seq == 1:
                break
        await connection.expect("ready")
        seen = []
        async for n in client.notifications():
            seen.append(n.seq)
            if n.seq == 2:
                break
        self.assertEqual(seen, [1, 2])
        self.assertEqual((await connection.expect("ack"))["seq"], 1)

    async def test_the_position_is_kept(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            store = baton.FileStore(directory)
            client, connection, _ = await self.connected(client_id="ana", store=store)
            client.on_notification(lambda n: None)
            await connection.expect("ready")
            await connection.say(notify(1), notify(2))
            self.assertEqual((await connection.expect("ack"))["seq"], 2)
            await client.close()
            _, _, hello = await self.connected(client_id="ana", store=baton.FileStore(directory))
            self.assertEqual(hello["resume"], {"epoch": "e1", "seq": 2})

    async def test_a_handler_that_raises_ends_its_listener(self) -> None:
        client, connection, _ = await self.connected(client_id="ana")

        def handler(n: baton.Notification) -> None:
            raise RuntimeError("no")

        listener = client.on_notification(handler)
        await connection.say(notify(1))
        with self.assertRaisesRegex(RuntimeError, "no"):
            await asyncio.wait_for(listener.done, PATIENCE)
        self.assertIsNone(client.position)


class Working(FakeNodeCase):
    async def test_a_blocking_handler_runs_in_a_thread_and_pays_once(self) -> None:
        client, connection, _ = await self.connected()
        threads = []
        calls = []

        @client.worker("work", credit=2)
        def handler(j: baton.BlockingJob) -> None:
            threads.append(threading.current_thread())
            j.once("answer", lambda: calls.append(1) or {"n": 1})
            j.checkpoint("halfway")
            j.notify("answer", {"of": j.data, "before": j.last_checkpoint})

        subscribe = await connection.expect("subscribe")
        await connection.ok(subscribe, subscription="s1")
        await connection.say(job("l1", checkpoint="before"))
        checkpoint = await connection.expect("checkpoint")
        self.assertEqual(checkpoint["checkpoint"], {"$once": {"answer": {"n": 1}}, "$checkpoint": "before"})
        await connection.ok(checkpoint)
        complete = await connection.expect("complete")
        self.assertEqual(complete["notify"], [{"name": "answer", "data": {"of": 1, "before": "before"}}])
        await connection.ok(complete, events=[])
        await connection.say(job("l2", checkpoint=checkpoint["checkpoint"], attempt=2))
        await connection.expect("complete")
        self.assertEqual(len(calls), 1)
        self.assertIsNot(threads[0], threading.main_thread())

    async def test_a_lost_lease_cancels_the_handler(self) -> None:
        client, connection, _ = await self.connected()
        reports: asyncio.Queue = asyncio.Queue()
        begun = asyncio.Event()
        ended = []

        async def handler(j: baton.Job) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.append(j.ended)
                raise

        client.work("work", handler, report=lambda _, error: reports.put_nowait(error))
        await connection.ok(await connection.expect("subscribe"), subscription="s1")
        await connection.say(job("l1"))
        await asyncio.wait_for(begun.wait(), PATIENCE)
        await connection.say({"type": "renewed", "leases": [], "lost": ["l1"]})
        self.assertIsInstance(await asyncio.wait_for(reports.get(), PATIENCE), baton.LeaseLostError)
        self.assertIsInstance(ended[0], baton.LeaseLostError)

    async def test_a_cancel_tells_a_thread_too(self) -> None:
        client, connection, _ = await self.connected()
        begun = threading.Event()

        def handler(j: baton.BlockingJob) -> None:
            begun.set()
            while True:
                j.check()

        client.work("work", handler)
        await connection.ok(await connection.expect("subscribe"), subscription="s1")
        await connection.say(job("l1"))
        await asyncio.to_thread(begun.wait, PATIENCE)
        await connection.say({"type": "cancel", "lease": "l1", "reason": "never mind", "grace_ms": 1000})
        self.assertIn("never mind", (await connection.expect("fail"))["error"]["message"])

    async def test_a_worker_that_is_refused_is_an_error_of_wait(self) -> None:
        client, connection, _ = await self.connected()
        client.work("work", lambda j: None)
        await connection.refuse(await connection.expect("subscribe"), 403, "forbidden")
        with self.assertRaises(baton.ForbiddenError):
            await asyncio.wait_for(client.wait(), PATIENCE)


class Following(FakeNodeCase):
    async def test_a_follower_goes_on_behind_what_it_handled(self) -> None:
        client, connection, _ = await self.connected()

        def event(cursor: str, subscription: str) -> dict:
            return {"type": "event", "subscription": subscription, "cursor": cursor, "event_id": "e", "channel": "log", "time": 1, "data": cursor}

        events = client.follow("log", start="earliest", name="audit")
        first = asyncio.ensure_future(events.__anext__())
        follow = await connection.expect("follow")
        self.assertEqual((follow["from"], follow["name"]), ("earliest", "audit"))
        await connection.say({"type": "ok", "id": follow["id"], "subscription": "f1", "cursor": "0"}, event("1", "f1"), event("2", "f1"))
        self.assertEqual((await first).data, "1")
        self.assertEqual((await events.__anext__()).data, "2")
        self.assertEqual((await connection.expect("commit"))["cursor"], "1")
        await connection.cut()
        second = await self.next()
        await second.welcome()
        again = await second.expect("follow")
        self.assertEqual(again["from"], {"cursor": "1"})
        await second.say({"type": "ok", "id": again["id"], "subscription": "f2", "cursor": "1"}, event("3", "f2"))
        self.assertEqual((await events.__anext__()).data, "3")


if __name__ == "__main__":
    unittest.main()
