"""A backend that speaks for its clients: what it listens to, publishes, broadcasts and looks at."""

from __future__ import annotations

import asyncio
import json
import threading
import unittest
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fake import PATIENCE, Connection, FakeNodeCase, baton


def notify(subscription: str, client_id: str, seq: int) -> dict:
    return {"type": "notify", "subscription": subscription, "client_id": client_id, "seq": seq, "name": "n", "event_id": "e",
            "correlation_id": "c", "causation_id": "c", "time": 1, "data": seq}


async def listens(connection: Connection, request: dict, subscription: str) -> None:
    await connection.ok(request, subscription=subscription, epoch="x1", seq=9, oldest=1, resumed="full")


class Hearing:
    """Listens for a client in the background, and writes down what comes."""

    def __init__(self, client: baton.Client, client_id: str, **options: Any) -> None:
        self.seen: list[Any] = []
        self.generator = client.listen_for(
            client_id, on_gap=self.seen.append, on_synced=lambda seq: self.seen.append(f"synced {seq}"), **options
        )
        self.done = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for n in self.generator:
            self.seen.append(f"{n.client_id} {n.seq}")

    async def stop(self) -> None:
        self.done.cancel()
        await asyncio.wait([self.done])


class ListeningFor(FakeNodeCase):
    async def test_several_clients_on_one_socket_and_a_lost_one_is_not_noticed(self) -> None:
        client, connection, hello = await self.connected()
        self.assertNotIn("client_id", hello)
        ana = Hearing(client, "ana", device_id="web", window=5)
        first = await connection.expect("listen")
        self.assertEqual(first, {"type": "listen", "id": first["id"], "client_id": "ana", "device_id": "web", "window": 5})
        await listens(connection, first, "s1")
        ben = Hearing(client, "ben", resume="live")
        second = await connection.expect("listen")
        self.assertEqual((second["client_id"], second["resume"]), ("ben", "live"))
        await listens(connection, second, "s2")
        await connection.say(notify("s1", "ana", 1), notify("s1", "ana", 2), notify("s2", "ben", 10), notify("s3", "nobody", 1))
        acks: dict[str, int] = {}
        while acks != {"s1": 2, "s2": 10}:
            ack = await connection.expect("ack")
            acks[ack["subscription"]] = ack["seq"]
        await connection.cut()
        connection = await self.next()
        await connection.welcome()
        asked = [await connection.expect("listen"), await connection.expect("listen")]
        for again, client_id, seq in zip(asked, ("ana", "ben"), (2, 10)):
            self.assertEqual((again["client_id"], again["resume"]), (client_id, {"epoch": "x1", "seq": seq}))
            await listens(connection, again, "again-" + client_id)
            repeated = await connection.expect("ack")  # Once more, in case it was lost.
            self.assertEqual((repeated["subscription"], repeated["seq"]), ("again-" + client_id, seq))
        await connection.say(notify("s1", "ana", 3))  # Of the socket before.
        await connection.say(
            notify("again-ana", "ana", 2), notify("again-ana", "ana", 3), {"type": "synced", "subscription": "again-ana", "seq": 3}
        )
        gap = {"type": "gap", "subscription": "again-ben", "from": 11, "to": 12, "reason": "trimmed"}
        await connection.say(gap, notify("again-ben", "ben", 13))
        while (await connection.expect("ack"))["seq"] != 13:
            pass
        self.assertEqual(ana.seen, ["ana 1", "ana 2", "ana 3", "synced 3"])
        self.assertEqual(ben.seen, ["ben 10", baton.Gap(11, 12, "trimmed"), "ben 13"])

    async def test_a_stream_that_began_live_goes_on_where_it_began(self) -> None:
        client, connection, _ = await self.connected()
        Hearing(client, "ana", resume="live")
        await listens(connection, await connection.expect("listen"), "s1")
        await connection.say({"type": "ping"})
        await connection.expect("pong")  # The answer was read.
        await connection.cut()
        connection = await self.next()
        await connection.welcome()
        self.assertEqual((await connection.expect("listen"))["resume"], {"epoch": "x1", "seq": 9})

    async def test_closing_the_generator_ends_the_listening(self) -> None:
        client, connection, _ = await self.connected()
        generator = client.listen_for("ana")

        async def loop() -> None:
            async for n in generator:
                if n.seq == 2:
                    break
            await generator.aclose()

        looping = asyncio.create_task(loop())
        await listens(connection, await connection.expect("listen"), "s1")
        await connection.say(notify("s1", "ana", 1), notify("s1", "ana", 2), notify("s1", "ana", 3))
        await asyncio.wait_for(looping, PATIENCE)
        ack = await connection.expect("ack")  # Not of what was being handled, and before the end.
        self.assertEqual((ack["subscription"], ack["seq"]), ("s1", 1))
        self.assertEqual((await connection.expect("unlisten"))["subscription"], "s1")
        await connection.cut()
        connection = await self.next()
        await connection.welcome()
        other = asyncio.create_task(client.publish("q", 1))
        await connection.expect("publish")  # And nothing before it.
        self.assertFalse(client._others._streams or client._others._named, "what ended is kept")
        other.cancel()

    async def test_a_listening_that_is_ended_before_its_answer_is_ended_when_that_comes(self) -> None:
        client, connection, _ = await self.connected()
        ana = Hearing(client, "ana")
        listen = await connection.expect("listen")
        await ana.stop()
        await listens(connection, listen, "s1")
        self.assertEqual((await connection.expect("unlisten"))["subscription"], "s1")

    async def test_what_is_acknowledged_by_hand(self) -> None:
        client, connection, _ = await self.connected()
        generator = client.listen_for("ana", manual_ack=True, window=1)
        first = asyncio.ensure_future(generator.__anext__())
        await listens(connection, await connection.expect("listen"), "s1")
        await connection.say(notify("s1", "ana", 1), notify("s1", "ana", 2))
        await first
        second = await generator.__anext__()
        second.ack()
        self.assertEqual((await connection.expect("ack"))["seq"], 2)
        await generator.aclose()

    async def test_a_refusal_ends_the_loop_and_one_that_may_pass_is_waited_out(self) -> None:
        client, connection, _ = await self.connected()
        ana = Hearing(client, "ana")
        await connection.refuse(await connection.expect("listen"), 503, "overloaded", True)
        await connection.refuse(await connection.expect("listen"), 403, "forbidden")
        with self.assertRaises(baton.ForbiddenError):
            await asyncio.wait_for(ana.done, PATIENCE)
        for client_id, options in (("", {}), ("x" * 256, {}), ("ana", {"device_id": "ü" * 128}), ("ana", {"window": 0})):
            with self.assertRaises(baton.BadRequestError):
                client.listen_for(client_id, **options)  # type: ignore[arg-type]

    async def test_numbers_of_another_epoch_begin_anew(self) -> None:
        client, connection, _ = await self.connected()
        ana = Hearing(client, "ana", resume=baton.Position("old", 9))
        listen = await connection.expect("listen")
        self.assertEqual(listen["resume"], {"epoch": "old", "seq": 9})
        await listens(connection, listen, "s1")
        gap = {"type": "gap", "subscription": "s1", "from": 1, "to": 9, "reason": "epoch"}
        await connection.say(gap, notify("s1", "ana", 4))
        self.assertEqual((await connection.expect("ack"))["seq"], 4)
        self.assertEqual(ana.seen, [baton.Gap(1, 9, "epoch"), "ana 4"])

    async def test_a_node_is_asked_for_few_listens_at_a_time(self) -> None:
        limits = {"limits": {"max_in_flight": 4, "window": 64}}
        client, connection, _ = await self.connected(limits)
        many = [f"c{i}" for i in range(9)]
        streams = [Hearing(client, client_id) for client_id in many]
        self.assertEqual(await self._in_turns(connection, len(many)), many)
        await connection.cut()
        connection = await self.next()
        await streams[5].stop()  # It gives up its turn.
        await connection.welcome(**limits)
        self.assertEqual(await self._in_turns(connection, len(many) - 1), [*many[:5], *many[6:]])

    async def _in_turns(self, connection: Connection, many: int) -> list[str]:
        waiting = [await connection.expect("listen"), await connection.expect("listen")]
        asked = [m["client_id"] for m in waiting]
        while len(asked) < many:
            # The pong comes before another listen: no more than these are out.
            await connection.say({"type": "ping"})
            await connection.expect("pong")
            answered = waiting.pop(0)
            await listens(connection, answered, "s-" + answered["client_id"])
            waiting.append(await connection.expect("listen"))
            asked.append(waiting[-1]["client_id"])
        return asked

    async def test_a_client_that_is_closed_ends_its_loops(self) -> None:
        client, connection, _ = await self.connected()
        ana = Hearing(client, "ana")
        await connection.expect("listen")
        await client.close()
        await asyncio.wait_for(ana.done, PATIENCE)
        with self.assertRaises(StopAsyncIteration):
            await asyncio.wait_for(client.listen_for("ana").__anext__(), PATIENCE)

    async def test_what_was_handled_is_acknowledged_before_the_goodbye(self) -> None:
        client, connection, _ = await self.connected(ack_delay=60)
        generator = client.listen_for("ana")
        first = asyncio.ensure_future(generator.__anext__())
        await listens(connection, await connection.expect("listen"), "s1")
        await connection.say(notify("s1", "ana", 1))
        (await first).ack()
        await client.close()
        self.assertEqual((await connection.expect("ack"))["seq"], 1)
        await connection.expect("bye")


class Speaking(FakeNodeCase):
    async def test_a_broadcast_has_one_idempotency_key_until_it_is_answered(self) -> None:
        client, connection, _ = await self.connected()
        told = asyncio.create_task(client.broadcast(["ana", "ben"], "news", {"n": 1}, causation_id="why"))
        first = await connection.expect("broadcast")
        self.assertEqual((first["client_ids"], first["name"], first["data"]), (["ana", "ben"], "news", {"n": 1}))
        self.assertEqual(first["causation_id"], "why")
        self.assertTrue(first["idempotency_key"])
        await connection.cut()
        connection = await self.next()
        await connection.welcome()
        again = await connection.expect("broadcast")
        self.assertEqual(again, first)
        await connection.refuse(again, 503, "no_leader", True)
        third = await connection.expect("broadcast")
        self.assertEqual(third["idempotency_key"], first["idempotency_key"])
        await connection.ok(third, event_id="e", correlation_id="c", duplicate=True)
        self.assertEqual(await told, baton.BroadcastReceipt("e", "c", True))
        for client_ids in ("ana", [], ["ana"] * 10_001):
            with self.assertRaises(baton.BadRequestError):
                await client.broadcast(client_ids, "news")

    async def test_a_backend_publishes_for_its_clients(self) -> None:
        client, connection, _ = await self.connected()
        published = asyncio.create_task(client.publish("q", 1, client_id="ana"))
        self.assertEqual((await connection.expect("publish"))["client_id"], "ana")
        published.cancel()


class Looking(FakeNodeCase):
    async def test_presence_is_asked_of_one_node_after_the_other(self) -> None:
        asked = []
        found = {"client_id": "ana/1", "tenant": "t", "connected": True, "epoch": "x1", "seq": 3, "oldest": 1, "devices": [
            {"device_id": "default", "connected": True, "nodes": ["n0"], "sent": 3, "acked": 2, "lag": 1, "acked_time": 5000},
            {"device_id": "old", "connected": False, "nodes": [], "acked": 0, "lag": 3},
        ]}
        missing = {"code": 404, "reason": "not_found", "detail": "there is no such client", "retryable": False}

        class Web(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, self.headers["Authorization"]))
                there = self.path.startswith("/v1/clients/ana%2F1?")
                self.send_response(200 if there else 404)
                self.end_headers()
                self.wfile.write(json.dumps(found if there else missing).encode())

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            # The first address answers no request of HTTP, the second no WebSocket.
            nodes = [self.url, "http://127.0.0.1:%d/ws" % server.server_port]
            opening = asyncio.ensure_future(self._open(nodes))
            await (await self.next()).welcome()
            client = await opening
            self.assertEqual(await client.client_presence("ana/1"), baton.Presence(
                "ana/1", "t", True, "x1", 3, 1,
                [
                    baton.DevicePresence("default", True, ["n0"], 3, 2, 1, datetime.fromtimestamp(5, timezone.utc)),
                    baton.DevicePresence("old", False, [], 0, 0, 3, None),
                ],
            ))
            self.assertEqual(asked, [("/v1/clients/ana%2F1?tenant=t", "Bearer secret")])
            with self.assertRaisesRegex(baton.NotFoundError, "there is no such client"):
                await client.client_presence("nobody")
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            serving.join()
        with self.assertRaises(baton.ConnectError):
            await client.client_presence("ana")

    async def test_runs_are_started_waited_for_listed_and_steered_and_messages_sent(self) -> None:
        asked: list[Any] = []
        run = {
            "run_id": "r1", "workflow": "w", "version": "v", "state": "succeeded", "key": "ana", "correlation_id": "r1", "started_at": 5000,
            "ended_at": 9000, "usage": {"steps": 1, "tokens": 2, "cost": 0.5}, "result_base64": "/w==", "input": {"n": 1},
            "waits": [{"due_at": 7000}, {"message": "m", "key": "k"}], "incident": {"kind": "step_failed"},
            "steps": [{"step": "a", "item": 2, "event_id": "e", "state": "completed", "attempts": 1, "time": 6000, "error": {"code": "c"}}],
            "compensations": [{"step": "a", "state": "registered"}],
        }
        running = {name: value for name, value in run.items() if name != "ended_at"}
        answers: list[Any] = [
            (202, {"run_id": "r1", "correlation_id": "r1"}), (503, {"code": 503, "reason": "no_leader", "retryable": True}),
            (200, running), (200, run), (200, {"runs": [run], "cursor": "c"}), (200, {"run_id": "r1"}), (200, {"run_id": "r2"}),
            (200, {"name": "m", "key": "k", "duplicate": True}), (404, {"code": 404, "reason": "not_found", "retryable": False}),
        ]

        class Web(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                asked.append((self.command, self.path, json.loads(body) if body else None, self.headers["Idempotency-Key"]))
                status, answer = answers.pop(0)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            nodes = [self.url, "http://127.0.0.1:%d/ws" % server.server_port]
            opening = asyncio.ensure_future(self._open(nodes, client_id="ana"))
            await (await self.next()).welcome()
            client = await opening
            self.assertEqual(await client.start_run("w", {"n": 1}, alias="next", on_end="done"), baton.StartedRun("r1", "r1", False))
            ended = await client.await_run("r1")
            self.assertEqual((ended.state, ended.result, ended.input), ("succeeded", b"\xff", {"n": 1}))
            self.assertEqual(ended.ended_at, datetime.fromtimestamp(9, timezone.utc))
            self.assertEqual(ended.waits, [
                baton.RunWait(None, None, datetime.fromtimestamp(7, timezone.utc)), baton.RunWait("m", "k", None),
            ])
            self.assertEqual((ended.steps[0].item, ended.steps[0].error), (2, baton.RunError("c", "", None)))
            self.assertEqual(ended.incident, baton.RunIncident("step_failed", "", None, 0))
            page = await client.runs(workflow="w", since=datetime.fromtimestamp(5, timezone.utc), limit=1)
            self.assertEqual((page.cursor, page.runs), ("c", [ended]))
            await client.cancel_run("r1", reason="no", no_compensation=True)
            self.assertEqual(await client.control_run("r1", "fork", step="a", data=None), "r2")
            self.assertTrue(await client.message("m", "k", b"\x01", id="i"))
            with self.assertRaises(baton.NotFoundError):
                await client.run("r9")
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            serving.join()
        self.assertTrue(asked[0][2].pop("idempotency_key").startswith("~"))
        self.assertEqual([one[:3] for one in asked], [
            ("POST", "/v1/runs", {"workflow": "w", "alias": "next", "client_id": "ana", "on_end": "done", "tenant": "t", "data": {"n": 1}}),
            *[("GET", "/v1/runs/r1?wait=10s&tenant=t", None)] * 3,
            ("GET", "/v1/runs?workflow=w&limit=1&since=5000&tenant=t", None),
            ("POST", "/v1/runs/r1/cancel?tenant=t", {"reason": "no", "no_compensation": True}),
            ("POST", "/v1/runs/r1/fork?tenant=t", {"step": "a", "data": None}),
            ("POST", "/v1/messages", {"name": "m", "key": "k", "id": "i", "tenant": "t", "data_base64": "AQ=="}),
            ("GET", "/v1/runs/r9?tenant=t", None),
        ])
        keys = [one[3] for one in asked[5:8]]
        self.assertEqual(len({*keys} - {None}), 3, "each request has a key of its own")

    async def _open(self, nodes: list[str], **options: Any) -> baton.Client:
        self.client = await baton.connect(nodes, in_order=True, tenant="t", token=lambda: "secret", **options)
        return self.client


if __name__ == "__main__":
    unittest.main()
