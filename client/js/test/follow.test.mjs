import assert from "node:assert/strict";
import { test } from "node:test";
import * as baton from "../dist/index.js";
import { FakeNode, rejected } from "./fake.mjs";

const event = (cursor, subscription = "f1") => ({
  type: "event", subscription, cursor, event_id: "e" + cursor, tenant: "default", time: 1, channel: "log", key: "k", correlation_id: "c", causation_id: "c", data: cursor,
});

test("a follower goes on behind what it handled, and commits under its name", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const stop = new AbortController();
  const events = client.follow("log", { from: "earliest", name: "audit", signal: stop.signal });
  const first = events.next();
  const follow = await socket.expect("follow");
  assert.deepEqual([follow.channel, follow.from, follow.name], ["log", "earliest", "audit"]);
  socket.say({ type: "ok", id: follow.id, subscription: "f1", cursor: "0" }, event("1"), event("2"));
  assert.equal((await first).value.data, "1");
  assert.equal((await events.next()).value.data, "2");
  assert.deepEqual(await socket.expect("commit"), { type: "commit", subscription: "f1", cursor: "1" });
  socket.end();
  const second = await node.next();
  await second.welcome();
  const again = await second.expect("follow");
  assert.deepEqual(again.from, { cursor: "1" });
  second.say({ type: "ok", id: again.id, subscription: "f2", cursor: "1" }, { type: "gap", subscription: "f2", reason: "trimmed" }, event("3", "f2"));
  assert.equal((await events.next()).value.data, "3");
  stop.abort();
  const end = events.next();
  const { id } = await second.expect("unsubscribe");
  second.say({ type: "ok", id });
  assert.equal((await end).done, true);
});

test("a follow that is refused is an error of the loop", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const first = rejected(client.follow("log").next());
  const { id } = await socket.expect("follow");
  socket.say({ type: "error", id, code: 501, reason: "not_available", message: "not yet", retryable: false });
  assert.ok((await first) instanceof baton.NotAvailableError);
});
