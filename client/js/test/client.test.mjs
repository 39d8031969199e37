import assert from "node:assert/strict";
import { test } from "node:test";
import * as baton from "../dist/index.js";
import { FakeNode, rejected } from "./fake.mjs";

test("what was not answered goes out again over the next socket, under its key", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const published = client.publish("q", { n: 1 }, { key: "k", delayMs: 1.5, headers: { a: "b" } });
  const first = await socket.expect("publish");
  assert.deepEqual([first.channel, first.data, first.key, first.delay_ms, first.headers], ["q", { n: 1 }, "k", 2, { a: "b" }]);
  socket.end();
  const second = await node.next();
  await second.welcome();
  const again = await second.expect("publish");
  assert.deepEqual(again, first);
  second.say({ type: "ok", id: again.id, event_id: "e", correlation_id: "c", offset: 7, duplicate: true });
  assert.deepEqual(await published, { eventId: "e", correlationId: "c", offset: 7, duplicate: true });
});

test("a refusal that may pass is waited out, for as long as it asks", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const published = client.publish("q", 1);
  const first = await socket.expect("publish");
  const begin = performance.now();
  socket.say({ type: "error", id: first.id, code: 429, reason: "rate_limited", message: "slow down", retryable: true, retry_after_ms: 60 });
  const second = await socket.expect("publish");
  assert.ok(performance.now() - begin >= 59, "it was sent again before retry_after_ms");
  assert.equal(second.idempotency_key, first.idempotency_key);
  socket.say({ type: "ok", id: second.id, event_id: "e", correlation_id: "c", offset: 1 });
  assert.equal((await published).duplicate, false);
});

test("no more is at the node than it allows", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected({}, { limits: { max_in_flight: 2 } });
  const published = [1, 2, 3].map((n) => client.publish("q", n));
  const [first, second] = [await socket.expect("publish"), await socket.expect("publish")];
  assert.deepEqual(socket.heard, []);
  socket.say({ type: "ok", id: second.id, event_id: "2", correlation_id: "c", offset: 1 });
  const third = await socket.expect("publish");
  for (const m of [first, third]) socket.say({ type: "ok", id: m.id, event_id: String(m.data), correlation_id: "c", offset: 1 });
  assert.deepEqual((await Promise.all(published)).map((r) => r.eventId), ["1", "2", "3"]);
});

test("refusals are errors of their own class, with all that was said", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const published = client.publish("q", 1);
  const { id } = await socket.expect("publish");
  socket.say({ type: "error", id, code: 409, reason: "idempotency_conflict", message: "used before", retryable: false });
  const error = await rejected(published);
  assert.ok(error instanceof baton.IdempotencyConflictError && error instanceof baton.BatonError);
  assert.deepEqual([error.code, error.reason, error.retryable, error.retryAfterMs], [409, "idempotency_conflict", false, 0]);
});

test("who stops waiting is told what the last answer was", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const stop = new AbortController();
  const published = client.publish("q", 1, { signal: stop.signal });
  const { id } = await socket.expect("publish");
  socket.say({ type: "error", id, code: 503, reason: "no_leader", message: "none", retryable: true, retry_after_ms: 60_000 });
  stop.abort();
  const error = await rejected(published);
  assert.ok(error instanceof baton.InterruptedError);
  assert.equal(error.last.reason, "no_leader");
});

test("a close code that is for good ends the client, and says why", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const published = rejected(client.publish("q", 1));
  await socket.expect("publish");
  socket.end(4500, "the token is not valid any more");
  const error = await client.done;
  assert.ok(error instanceof baton.RejectedError);
  assert.equal(error.code, 4500);
  assert.equal(await published, error);
  assert.equal(await rejected(client.publish("q", 1)), error);
});

test("connecting fails with the last answer of a node that was reached", async () => {
  const node = new FakeNode();
  const connecting = rejected(baton.connect({ nodes: ["a:1", "b:1"], inOrder: true, WebSocket: node.WebSocket, connectAttempts: 2, minBackoffMs: 1 }));
  const first = await node.next();
  await first.expect("hello");
  first.say({ type: "error", code: 503, reason: "no_leader", message: "no majority", retryable: true });
  first.end(4002, "not ready");
  const second = await node.next();
  assert.equal(second.url, "ws://b:1/ws");
  second.end(1006);
  const error = await connecting;
  assert.ok(error instanceof baton.ConnectError);
  assert.equal(error.refusal.reason, "no_leader");
});

test("after a bye the client goes to a node that it learned of", async () => {
  const node = new FakeNode();
  const { socket } = await node.connected({}, { nodes: ["ws://b:1/ws", "http://a:1"] });
  socket.say({ type: "bye", reason: "drain", reconnect: true, after_ms: 5 });
  socket.end(4001, "drain");
  assert.equal((await node.next()).url, "ws://b:1/ws");
});

test("who is turned away before a welcome comes back when the bye says, elsewhere", async () => {
  const node = new FakeNode();
  const connecting = baton.connect({ nodes: ["a:1", "b:1"], inOrder: true, WebSocket: node.WebSocket, store: null, minBackoffMs: 1, maxBackoffMs: 1 });
  const first = await node.next();
  await first.expect("hello");
  const begin = performance.now();
  first.say({ type: "bye", reason: "limit", reconnect: true, after_ms: 60 });
  first.end(4029, "abuse of limits");
  const second = await node.next();
  assert.ok(performance.now() - begin >= 59, "it came back before after_ms");
  assert.equal(second.url, "ws://b:1/ws");
  await second.welcome();
  await connecting;
});

test("a bye for good before a welcome is a refusal", async () => {
  const node = new FakeNode();
  const connecting = rejected(baton.connect({ nodes: "a:1", WebSocket: node.WebSocket, store: null }));
  const first = await node.next();
  await first.expect("hello");
  first.say({ type: "bye", reason: "this tenant is no more", reconnect: false });
  first.end(1000);
  const error = await connecting;
  assert.ok(error instanceof baton.RejectedError);
  assert.equal(error.reason, "this tenant is no more");
});

test("a bye that is for good ends the client", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  socket.say({ type: "bye", reason: "this tenant is no more", reconnect: false });
  socket.end(1000);
  assert.match((await client.done).message, /this tenant is no more/);
});

test("a node that owes an answer and is silent is left", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected({ probeIntervalMs: 10 });
  rejected(client.publish("q", 1));
  await socket.expect("ping");
  const next = await node.next();
  await next.welcome();
  await next.expect("publish");
  assert.equal(socket.closed, 1000);
  await client.close;
});

test("closing says goodbye, and ends what waits", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const published = rejected(client.publish("q", 1));
  const closing = client.close();
  await socket.expect("bye");
  socket.end(1000);
  await closing;
  assert.ok((await published) instanceof baton.ClosedError);
  assert.ok((await client.done) instanceof baton.ClosedError);
});

test("bytes travel as base64, both ways", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected({ clientId: "ana" });
  rejected(client.publish("q", Uint8Array.of(0, 255)));
  assert.equal((await socket.expect("publish")).data_base64, "AP8=");
  const arrived = client.notifications().next();
  socket.say({ type: "notify", seq: 1, name: "n", event_id: "e", correlation_id: "c", causation_id: "c", time: 1, data_base64: "AP8=" });
  assert.deepEqual((await arrived).value.data, Uint8Array.of(0, 255));
});
