"""The interpreter of client/conformance/cases.json for this client.

It is run by go test ./client/conformance, which starts the cluster and says where
it is: BATON_NODES, BATON_CONTROL, BATON_CASES, BATON_RUN (what names begin with),
and BATON_CASE (one case, by its name, whose names begin with BATON_TOGETHER). It
prints one JSON object for each case.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import baton  # noqa: E402

NODES = os.environ["BATON_NODES"].split(",")
PATIENCE = 30.0


async def until(missing: Callable[[], str | None]) -> None:
    """Looks again until nothing is missing, or fails with what is."""
    deadline = time.monotonic() + PATIENCE
    while True:
        what = missing()
        if what is None:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain: {what}")
        await asyncio.sleep(0.005)


def equal(got: Any, want: Any, what: str) -> None:
    if got != want:
        raise AssertionError(f"{what} is {got!r}, want {want!r}")


class Peer:
    """A client of a case, and what came to it."""

    def __init__(self, client: baton.Client) -> None:
        self.client = client
        self.inbox: list[baton.Notification] = []
        self.gaps: list[baton.Gap] = []
        self.synced = False
        self.last: int | None = None
        self.task: asyncio.Task[None] | None = None  # of one that a backend listens for


class Hand:
    """A worker of a case."""

    def __init__(self, calls: list[list[dict[str, Any]]]) -> None:
        self.calls = calls
        self.called = 0
        self.reports: list[str] = []
        self.worker: baton.Worker | None = None


class Follower:
    """A follower of a case, and what came to it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.task: asyncio.Task[None] | None = None


class Reader:
    """Reads a token stream in a case."""

    def __init__(self) -> None:
        self.text = ""
        self.position: baton.StreamPosition | None = None
        self.final = False
        self.error: BaseException | None = None
        self.task: asyncio.Task[None] | None = None


class Run:
    """One run of one case."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.peers: dict[str, Peer] = {}
        self.hands: dict[str, Hand] = {}
        self.followers: dict[str, Follower] = {}
        self.stores: dict[str, baton.MemoryStore] = {}
        self.saved: dict[str, dict[str, Any]] = {}
        self.background: dict[str, asyncio.Task[Any]] = {}
        self.counters: Counter[str] = Counter()
        self.readers: dict[str, Reader] = {}
        self.positions: dict[str, baton.StreamPosition | None] = {}
        self.leases: dict[str, str] = {}
        self.problems: list[str] = []

    def fill(self, value: Any, own: dict[str, Any]) -> Any:
        """A step's value with what stands for something else put in."""
        if isinstance(value, str):
            if value in own:
                return own[value]
            reference = re.fullmatch(r"\$(\w+)\.(\w+)", value)
            if reference and reference[1] in self.saved:
                return self.saved[reference[1]][reference[2]]
            return value.replace("%", self.prefix + "-")
        if isinstance(value, list):
            return [self.fill(item, own) for item in value]
        if not isinstance(value, dict):
            return value
        if "$bytes" in value:
            return bytes(value["$bytes"])
        if "$letters" in value:
            return "x" * value["$letters"]
        return {name: self.fill(item, own) for name, item in value.items()}

    async def await_count(self, s: dict[str, Any]) -> None:
        def missing() -> str | None:
            count = self.counters[s["counter"]]
            return None if count == s["is"] else f"counter {s['counter']} is {count}, want {s['is']}"

        await until(missing)

    async def close(self) -> None:
        for peer in self.peers.values():
            await peer.client.close()
        await control(self, {"action": "reset"})

    def end(self) -> None:
        for name, peer in self.peers.items():
            equal([n.data for n in peer.inbox], [], f"what {name} was notified of beyond what was expected")
        equal(self.problems, [], "what went wrong")


Step = dict


async def connect(run: Run, s: Step) -> None:
    if s.get("store"):
        run.stores.setdefault(s["store"], baton.MemoryStore())
    resume = s.get("resume")
    client = await asyncio.wait_for(
        baton.connect(
            [NODES[at] for at in s["nodes"]] if "nodes" in s else NODES,
            in_order=True,
            given_only=s.get("given_only", False),
            client_id=s.get("client_id"),
            device_id=s.get("device_id"),
            resume=baton.Position(**resume) if isinstance(resume, dict) else resume,
            store=run.stores.get(s.get("store", "")),
            name=s["as"],
        ),
        PATIENCE,
    )
    run.peers[s["as"]] = Peer(client)


async def close(run: Run, s: Step) -> None:
    await run.peers[s["on"]].client.close()


async def publish(run: Run, s: Step) -> None:
    client = run.peers[s["on"]].client

    async def one(data: Any) -> baton.Receipt:
        return await asyncio.wait_for(
            client.publish(
                s["channel"], data, key=s.get("key"), idempotency_key=s.get("idempotency_key"), delay_ms=s.get("delay_ms"),
                on_end=s.get("on_end"), client_id=s.get("client_id"),
            ),
            PATIENCE,
        )

    if "count" in s:
        receipts = await asyncio.gather(*(one(i) for i in range(s["count"])))
        equal(len({r.event_id for r in receipts}), s["count"], "the number of events")
        return
    task = asyncio.create_task(one(s.get("data")))
    if "background" in s:
        run.background[s["background"]] = task
    else:
        await check(run, s, task)


async def await_(run: Run, s: Step) -> None:
    await check(run, s, run.background[s["background"]])


async def check(run: Run, s: Step, published: Awaitable[Any]) -> None:
    """Holds what publishing came to against what was expected."""
    if "error" in s:
        await ended(s, published)
        return
    receipt = vars(await published)
    for field, value in s.get("expect", {}).items():
        equal(receipt[field], value, field)
    if "save" in s:
        run.saved[s["save"]] = receipt


def refused_as(want: dict[str, Any], error: BaseException) -> None:
    """Holds an error against the one that was expected."""
    fields = dict(want)
    kind = getattr(baton, fields.pop("class") + "Error")
    if not isinstance(error, kind):
        raise error
    for field, value in fields.items():
        equal(getattr(error, field), value, field)


async def ended(s: Step, ending: Awaitable[Any]) -> None:
    """Holds the end of something against what was expected."""
    try:
        await asyncio.wait_for(ending, PATIENCE)
    except baton.BatonError as error:
        if "error" not in s:
            raise
        refused_as(s["error"], error)
        return
    if "error" in s:
        raise AssertionError("it was not refused")


async def complete_lease(run: Run, s: Step) -> None:
    client = run.peers[s["on"]].client
    await ended(s, client.complete_lease(run.leases[s["lease"]], emit=s.get("emit", []), notify=s.get("notify", [])))


async def fail_lease(run: Run, s: Step) -> None:
    try:
        fail(s)
    except Exception as failure:
        await ended(s, run.peers[s["on"]].client.fail_lease(run.leases[s["lease"]], failure))


async def read_stream(run: Run, s: Step) -> None:
    reader = Reader()
    chunks = run.peers[s["on"]].client.read_stream(s["stream"], run.positions.get(s.get("after", "")))

    async def collect() -> None:
        try:
            async for chunk in chunks:
                assert isinstance(chunk.data, str)
                reader.text = chunk.data if chunk.reset else reader.text + chunk.data
                reader.position = chunk.position
                reader.final = chunk.final
        except (baton.BatonError, baton.ClosedError) as error:
            reader.error = error
        finally:
            await chunks.aclose()

    reader.task = asyncio.create_task(collect())
    run.readers[s["as"]] = reader


async def expect_stream(run: Run, s: Step) -> None:
    reader = run.readers[s["reader"]]
    if "error" in s:
        await until(lambda: None if reader.error else "the stream is not refused")
        assert reader.error
        refused_as(s["error"], reader.error)
        return

    def missing() -> str | None:
        if reader.text == s["text"] and (reader.final or not s.get("final")):
            return None
        return f"the stream says {reader.text!r} (final: {reader.final}, {reader.error!r}), want {s['text']!r}"

    await until(missing)
    if "save" in s:
        run.positions[s["save"]] = reader.position


async def stop_read(run: Run, s: Step) -> None:
    task = run.readers[s["reader"]].task
    assert task
    task.cancel()
    await asyncio.wait([task])


async def cancel(run: Run, s: Step) -> None:
    await asyncio.wait_for(run.peers[s["on"]].client.cancel_event(s["event_id"], s.get("reason")), PATIENCE)


async def cancel_lineage(run: Run, s: Step) -> None:
    client = run.peers[s["on"]].client
    await asyncio.wait_for(client.cancel_lineage(s["correlation_id"], s.get("reason")), PATIENCE)


async def listen(run: Run, s: Step) -> None:
    peer = run.peers[s["on"]]

    def synced(_: int) -> None:
        peer.synced = True

    peer.client.on_notification(
        peer.inbox.append, manual_ack=s.get("manual_ack", False), on_gap=peer.gaps.append, on_synced=synced
    )


def each(s: Step) -> list[str]:
    """The endings of the names that a step with a count stands for: their numbers, or nothing where it is for one."""
    return [str(i) for i in range(s["count"])] if "count" in s else [""]


async def listen_for(run: Run, s: Step) -> None:
    client = run.peers[s["on"]].client
    resume = s.get("resume")
    for ending in each(s):
        peer = run.peers[s["as"] + ending] = Peer(client)

        def synced(_: int, peer: Peer = peer) -> None:
            peer.synced = True

        notifications = client.listen_for(
            s["client_id"] + ending, device_id=s.get("device_id"), window=s.get("window"),
            resume=baton.Position(**resume) if isinstance(resume, dict) else resume,
            manual_ack=s.get("manual_ack", False), on_gap=peer.gaps.append, on_synced=synced,
        )
        peer.task = asyncio.create_task(collect_notifications(run, peer, notifications))


async def collect_notifications(run: Run, peer: Peer, notifications: Any) -> None:
    try:
        async for n in notifications:
            peer.inbox.append(n)
    except baton.BatonError as error:
        run.problems.append(str(error))
    finally:
        await notifications.aclose()


async def stop_listening(run: Run, s: Step) -> None:
    task = run.peers[s["on"]].task
    assert task
    task.cancel()
    await asyncio.wait([task])


async def broadcast(run: Run, s: Step) -> None:
    client = run.peers[s["on"]].client
    client_ids = s.get("client_ids") or [s["client_id"] + ending for ending in each(s)]
    told = client.broadcast(client_ids, s["name"], s["data"], idempotency_key=s.get("idempotency_key"))
    task = asyncio.create_task(asyncio.wait_for(told, PATIENCE))
    if "background" in s:
        run.background[s["background"]] = task
    else:
        await check(run, s, task)


async def presence(run: Run, s: Step) -> None:
    client = run.peers[s["on"]].client
    if "error" in s:
        await ended(s, client.client_presence(s["client_id"]))
        return
    deadline = time.monotonic() + PATIENCE
    while True:
        p = await client.client_presence(s["client_id"])
        found = {"connected": p.connected, "seq": p.seq, "lag": sum(device.lag for device in p.devices)}
        if found == s["expect"]:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"{s['client_id']} is {found}, want {s['expect']}")
        await asyncio.sleep(0.01)


async def expect_notifications(run: Run, s: Step) -> None:
    for ending in each(s):
        await expect_of_one(run, {**s, "on": s["on"] + ending})


async def expect_of_one(run: Run, s: Step) -> None:
    peer = run.peers[s["on"]]
    want = s["data"]

    def missing() -> str | None:
        got = [n.data for n in peer.inbox]
        return None if len(got) >= len(want) else f"{s['on']} has {got}, want {want}"

    await until(missing)
    got = peer.inbox[:]
    peer.inbox.clear()
    data = [n.data for n in got]
    equal(sorted(data) if s.get("in_any_order") else data, want, "data")
    for n in got:
        if peer.last is not None:
            equal(n.seq, peer.last + 1, "seq")
        peer.last = n.seq
        if "client_id" in s:
            equal(n.client_id, s["client_id"], "client_id")
        if "correlation_id" in s:
            equal(n.correlation_id, s["correlation_id"], "correlation_id")
    if "names" in s:
        equal([n.name for n in got], s["names"], "names")


async def expect_gap(run: Run, s: Step) -> None:
    peer = run.peers[s["on"]]
    await until(lambda: None if peer.gaps else "no gap came")
    equal(peer.gaps[0].reason, s["reason"], "reason")


async def expect_synced(run: Run, s: Step) -> None:
    peer = run.peers[s["on"]]
    await until(lambda: None if peer.synced else "the stream is not live")
    equal([n.data for n in peer.inbox], [], "what was replayed")


async def expect_node(run: Run, s: Step) -> None:
    client = run.peers[s["on"]].client
    await until(lambda: f"connected to {client.node!r}" if client.node in ("", f"n{s['is_not']}") else None)


async def work(run: Run, s: Step) -> None:
    hand = Hand(s["calls"])

    async def handler(job: baton.Job) -> None:
        ops = hand.calls[min(hand.called, len(hand.calls) - 1)]
        hand.called += 1
        own = {"$data": job.data}
        for op in ops:
            await operate(run, run.fill(op, own), job, own)

    def report(_: Any, error: BaseException | None) -> None:
        hand.reports.append(outcome(error))

    hand.worker = run.peers[s["on"]].client.work(
        s["channel"], handler, group=s.get("group"), start=s.get("from"), credit=s.get("credit", 16),
        lease_ms=s.get("lease_ms"), report=report,
    )
    run.hands[s["as"]] = hand


async def follow(run: Run, s: Step) -> None:
    follower = Follower()
    client = run.peers[s["on"]].client

    async def collect() -> None:
        events = client.follow(s["channel"], start=s.get("from"), name=s.get("name"))
        try:
            async for event in events:
                follower.seen.append(event.data)
        except baton.BatonError as error:
            run.problems.append(str(error))
        finally:
            await events.aclose()

    follower.task = asyncio.create_task(collect())
    run.followers[s["as"]] = follower


async def expect_events(run: Run, s: Step) -> None:
    follower = run.followers[s["follower"]]
    want = s["data"]
    await until(lambda: None if len(follower.seen) >= len(want) else f"events {follower.seen}, want {want}")
    equal(follower.seen, want, "events")
    follower.seen = []


async def stop_follow(run: Run, s: Step) -> None:
    task = run.followers[s["follower"]].task
    assert task
    task.cancel()
    await asyncio.wait([task])


async def stop_work(run: Run, s: Step) -> None:
    worker = run.hands[s["worker"]].worker
    assert worker
    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(0)
    if "count" in s:
        run.counters[s["count"]] += 1
    await stopping


async def expect_reports(run: Run, s: Step) -> None:
    hand = run.hands[s["worker"]]
    want = s["reports"]
    await until(lambda: None if len(hand.reports) >= len(want) else f"reports {hand.reports}, want {want}")
    equal(hand.reports[: len(want)], want, "reports")
    del hand.reports[: len(want)]


async def expect_report_count(run: Run, s: Step) -> None:
    hand = run.hands[s["worker"]]
    await until(lambda: None if len(hand.reports) >= s["is"] else f"reports {hand.reports}, want {s['is']}")


async def control(_: Run, s: Step) -> None:
    def ask() -> None:
        request = urllib.request.Request(os.environ["BATON_CONTROL"], json.dumps(s).encode())
        try:
            urllib.request.urlopen(request).close()
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{s['action']}: {refused.read().decode()}") from refused

    await asyncio.to_thread(ask)


async def count(run: Run, s: Step) -> None:
    run.counters[s["counter"]] += 1


STEPS: dict[str, Callable[[Run, Step], Awaitable[None]]] = {
    "connect": connect,
    "close": close,
    "publish": publish,
    "await": await_,
    "cancel": cancel,
    "cancel_lineage": cancel_lineage,
    "listen": listen,
    "listen_for": listen_for,
    "stop_listening": stop_listening,
    "broadcast": broadcast,
    "presence": presence,
    "expect_notifications": expect_notifications,
    "expect_gap": expect_gap,
    "expect_synced": expect_synced,
    "expect_node": expect_node,
    "work": work,
    "follow": follow,
    "expect_events": expect_events,
    "read_stream": read_stream,
    "expect_stream": expect_stream,
    "stop_read": stop_read,
    "complete_lease": complete_lease,
    "fail_lease": fail_lease,
    "stop_follow": stop_follow,
    "stop_work": stop_work,
    "expect_reports": expect_reports,
    "expect_report_count": expect_report_count,
    "control": control,
    "count": count,
    "wait_for": Run.await_count,
}


async def operate(run: Run, o: Step, job: baton.Job, own: dict[str, Any]) -> None:
    """What a worker does with a job."""
    kind = o["op"]
    if kind == "notify":
        job.notify(o["name"], o["data"])
    elif kind == "emit":
        job.emit(o["channel"], o["data"])
    elif kind == "result":
        job.result(o["data"])
    elif kind == "checkpoint":
        job.checkpoint(o["data"])
    elif kind == "count":
        run.counters[o["counter"]] += 1
    elif kind == "wait_for":
        await stubborn(run.await_count(o))
    elif kind == "once":
        own["$once." + o["key"]] = await job.once(o["key"], lambda: paid(run, o))
    elif kind == "expect_attempt":
        if job.attempt != o["is"]:
            run.problems.append(f"attempt {job.attempt}, want {o['is']}")
    elif kind == "expect_checkpoint":
        if job.last_checkpoint != o["data"]:
            run.problems.append(f"checkpoint {job.last_checkpoint!r}, want {o['data']!r}")
    elif kind == "wait_abort":
        await stubborn(until(lambda: None if job.ended else "the job is not stopped"))
        if o["reason"] == "lease_lost" and not isinstance(job.ended, baton.LeaseLostError):
            run.problems.append(f"stopped because of {job.ended!r}")
    elif kind == "write":
        job.stream(o.get("name", "")).write(o["text"])
    elif kind == "close_stream":
        job.stream(o.get("name", "")).close()
    elif kind == "park":
        run.leases[o["save"]] = job.lease_token
        await job.park()
    elif kind == "fail":
        fail(o)
    else:
        run.problems.append(f"there is no operation {kind}")


async def stubborn(waiting: Any) -> None:
    """Goes on where the handler is cancelled: some cases are about those that do."""
    task = asyncio.ensure_future(waiting)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            continue
    task.result()


def paid(run: Run, o: Step) -> Any:
    run.counters["once:" + o["key"]] += 1
    return o["data"]


def fail(o: Step) -> None:
    if o["kind"] == "permanent":
        raise baton.PermanentError("it cannot be done")
    if o["kind"] == "retry_after":
        raise baton.RetryAfter(o["after_ms"])
    if o["kind"] == "throttled":
        raise baton.Throttled(o["after_ms"])
    raise RuntimeError("it did not work")


def outcome(error: BaseException | None) -> str:
    """How a job ended, in a word."""
    if error is None:
        return "completed"
    for kind, word in (
        (baton.ParkedError, "parked"),
        (baton.LeaseLostError, "lease_lost"),
        (baton.StoppingError, "released"),
        (baton.ClosedError, "released"),
        (baton.PermanentError, "permanent"),
        (baton.Throttled, "throttled"),
    ):
        if isinstance(error, kind):
            return word
    return "failed"


async def run_case(case: dict[str, Any], prefix: str) -> None:
    run = Run(prefix)
    try:
        for i, raw in enumerate(case["steps"]):
            step = run.fill({name: value for name, value in raw.items() if name != "calls"}, {})
            if "calls" in raw:
                step["calls"] = raw["calls"]
            try:
                await STEPS[step["do"]](run, step)
            except Exception as error:
                problems = "; ".join([f"{type(error).__name__}: {error}", *run.problems])
                raise AssertionError(f"step {i + 1} ({step['do']}): {problems}") from error
    finally:
        await run.close()
    run.end()


async def main() -> None:
    cases = json.loads(Path(os.environ["BATON_CASES"]).read_text(encoding="utf-8"))["cases"]
    only = os.environ.get("BATON_CASE")
    for i, case in enumerate(cases):
        if (case["name"] != only) if only else case.get("by"):
            continue
        prefix = os.environ["BATON_TOGETHER"] if only else f"{os.environ['BATON_RUN']}-{i}"
        error = None
        try:
            await run_case(case, prefix)
        except Exception as failed:
            error = str(failed) or repr(failed)
        print(json.dumps({"case": case["name"], "error": error}), flush=True)


asyncio.run(main())
