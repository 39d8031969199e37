import assert from "node:assert/strict";
import { test } from "node:test";
import * as baton from "../dist/index.js";
import { FakeNode, rejected } from "./fake.mjs";

const job = (lease, fields = {}) => ({
  type: "job", subscription: "s1", lease, fence: 1, event_id: "e1", channel: "work", group: "default", attempt: 1, lease_ms: 60_000,
  key: "k", correlation_id: "c", causation_id: "c", tenant: "default", data: 1, ...fields,
});

/** A worker, subscribed over a fake node. */
async function working(handler, options = {}) {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const reports = [];
  const worker = client.work("work", handler, { report: (_, error) => reports.push(error), ...options });
  const subscribe = await socket.expect("subscribe");
  socket.say({ type: "ok", id: subscribe.id, subscription: "s1" });
  return { node, client, socket, worker, reports, subscribe };
}

test("a job's outcome is one message", async () => {
  const { socket, subscribe } = await working((j) => {
    j.emit("next", { a: j.data }, { key: "other", clientId: "ben" });
    j.notify("answer", null);
    j.result("done");
    j.usage({ tokens: 3 });
  }, { credit: 2, leaseMs: 500, group: "g", from: "earliest" });
  assert.deepEqual([subscribe.channel, subscribe.credit, subscribe.lease_ms, subscribe.group, subscribe.from], ["work", 2, 500, "g", "earliest"]);
  socket.say(job("l1"));
  const { id: _, ...complete } = await socket.expect("complete");
  assert.deepEqual(complete, {
    type: "complete", lease: "l1", result: "done", usage: { tokens: 3 },
    emit: [{ client_id: "ben", channel: "next", key: "other", data: { a: 1 } }], notify: [{ name: "answer", data: null }],
  });
});

test("errors say how a job fails", async () => {
  const errors = [
    new baton.PermanentError("never", { code: "bad_input", detail: { at: 3 } }), new baton.RetryAfter(50, "later"), new baton.Throttled(70), new Error("oh"),
  ];
  const { socket } = await working(() => { throw errors.shift(); });
  const fails = [];
  for (const lease of ["1", "2", "3", "4"]) {
    socket.say(job(lease));
    const { id, type: _, lease: __, ...fail } = await socket.expect("fail");
    socket.say({ type: "ok", id });
    fails.push(fail);
  }
  assert.deepEqual(fails, [
    { error: { code: "bad_input", message: "never", detail: { at: 3 } }, retryable: false },
    { error: { code: "failed", message: "later" }, retry_after_ms: 50 },
    { error: { code: "failed", message: "throttled" }, retry_after_ms: 70, throttled: true },
    { error: { code: "failed", message: "oh" } },
  ]);
});

test("what one attempt paid for, the next one has", async () => {
  let calls = 0;
  let last;
  const { socket } = await working(async (j) => {
    last = j.lastCheckpoint;
    const [one, two] = await Promise.all([j.once("answer", () => ({ n: ++calls })), j.once("answer", () => ({ n: ++calls }))]);
    assert.deepEqual([one, two], [{ n: 1 }, { n: 1 }]);
    j.checkpoint("halfway");
  });
  socket.say(job("l1", { checkpoint: "before" }));
  const checkpoint = await socket.expect("checkpoint");
  // The very text that the other clients write.
  assert.equal(JSON.stringify(checkpoint.checkpoint), '{"$once":{"answer":{"n":1}},"$checkpoint":"before"}');
  socket.say({ type: "ok", id: checkpoint.id });
  const whole = (await socket.expect("renew")).leases[0].checkpoint;
  assert.equal(JSON.stringify(whole), '{"$once":{"answer":{"n":1}},"$checkpoint":"halfway"}');
  socket.say(job("l2", { checkpoint: whole, attempt: 2 }));
  await socket.expect("complete");
  await socket.expect("complete");
  assert.deepEqual([calls, last], [1, "halfway"]);
});

test("a result that cannot be kept ends the job for good", async () => {
  const { socket } = await working((j) => j.once("big", () => "x"));
  socket.say(job("l1"));
  const { id } = await socket.expect("checkpoint");
  socket.say({ type: "error", id, code: 413, reason: "too_large", message: "too large", retryable: false });
  const fail = await socket.expect("fail");
  assert.deepEqual([fail.error.code, fail.retryable], ["too_large", false]);
});

test("leases are renewed, and one that is lost ends the signal", async () => {
  const { socket, reports } = await working((j) => new Promise((resolve) => j.signal.addEventListener("abort", resolve)));
  socket.say(job("l1", { lease_ms: 900 }));
  assert.deepEqual((await socket.expect("renew")).leases, ["l1"]);
  socket.say({ type: "renewed", leases: [{ lease: "l1", lease_ms: 900 }], lost: [] });
  await socket.expect("renew");
  socket.say({ type: "renewed", leases: [], lost: ["l1"] });
  await new Promise((resolve) => setTimeout(resolve));
  assert.ok(reports[0] instanceof baton.LeaseLostError, `${reports}`);
  assert.deepEqual(socket.heard.filter((m) => m.type === "complete"), []);
});

test("a canceled job is told, and may still end within the grace", async () => {
  const { socket } = await working((j) => new Promise((_, reject) => j.signal.addEventListener("abort", () => reject(j.signal.reason))));
  socket.say(job("l1"));
  await new Promise((resolve) => setTimeout(resolve)); // The handler has begun.
  socket.say({ type: "cancel", lease: "l1", reason: "never mind", grace_ms: 1000 });
  assert.match((await socket.expect("fail")).error.message, /never mind/);
});

test("a completion that the cluster refuses fails the job for good", async () => {
  const { socket } = await working((j) => j.notify("n"));
  socket.say(job("l1"));
  const { id } = await socket.expect("complete");
  socket.say({ type: "error", id, code: 400, reason: "bad_request", message: "there is no client", retryable: false });
  const fail = await socket.expect("fail");
  assert.deepEqual([fail.error.code, fail.retryable], ["bad_request", false]);
});

test("stopping gives back what has not begun, and waits for the rest", async () => {
  let finish;
  const { socket, worker } = await working(() => new Promise((resolve) => (finish = resolve)), { credit: 1 });
  socket.say(job("l1"), job("l2"));
  await new Promise((resolve) => setTimeout(resolve)); // The first one has begun.
  const stopped = worker.stop();
  await socket.expect("unsubscribe");
  socket.say(job("l3"));
  assert.equal((await socket.expect("release")).lease, "l3");
  finish();
  const { id } = await socket.expect("complete");
  socket.say({ type: "ok", id, events: [] });
  assert.equal((await socket.expect("release")).lease, "l2");
  await stopped;
});

test("a job that outlives its socket is renewed over the next one, and counts against the credit", async () => {
  let finish;
  const { node, socket } = await working(() => new Promise((resolve) => (finish = resolve)), { credit: 3 });
  socket.say(job("l1"));
  socket.end();
  const second = await node.next();
  await second.welcome();
  assert.deepEqual((await second.expect("renew")).leases, ["l1"]);
  const subscribe = await second.expect("subscribe");
  assert.equal(subscribe.credit, 2);
  second.say({ type: "ok", id: subscribe.id, subscription: "s2" });
  finish();
  const { id } = await second.expect("complete");
  second.say({ type: "ok", id, events: [] });
  assert.deepEqual(await second.expect("credit"), { type: "credit", subscription: "s2", credit: 3 });
});

test("a subscription that is refused for good ends the worker", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const worker = client.work("work", () => {});
  const failed = rejected(worker.done);
  const { id } = await socket.expect("subscribe");
  socket.say({ type: "error", id, code: 403, reason: "forbidden", message: "not yours", retryable: false });
  assert.ok((await failed) instanceof baton.ForbiddenError);
});
