import assert from "node:assert/strict";
import { test } from "node:test";
import * as baton from "../dist/index.js";
import { FakeNode, rejected } from "./fake.mjs";

const notify = (...seqs) => seqs.map((seq) => ({ type: "notify", seq, name: "n", event_id: "e", correlation_id: "c", causation_id: "c", time: 1, data: seq }));

test("nothing is delivered before somebody listens, and each is acknowledged when the next is asked for", async () => {
  const node = new FakeNode();
  const { client, socket, hello } = await node.connected({ clientId: "ana" });
  assert.equal(hello.ready, false);
  assert.deepEqual(socket.heard, []);
  const stream = client.notifications();
  const first = stream.next();
  await socket.expect("ready");
  socket.say(...notify(1, 2));
  assert.equal((await first).value.data, 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(socket.heard, [], "acknowledged before it was handled");
  assert.equal((await stream.next()).value.data, 2);
  assert.equal((await socket.expect("ack")).seq, 1);
});

test("what was being handled when the loop was left comes again to the next one", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected({ clientId: "ana" });
  socket.say(...notify(1, 2));
  for await (const n of client.notifications()) if (n.data === 1) break;
  const seen = [];
  for await (const n of client.notifications()) {
    seen.push(n.data);
    if (n.data === 2) break;
  }
  assert.deepEqual(seen, [1, 2]);
});

test("the next socket begins behind what was handled, and what comes twice is left out", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected({ clientId: "ana" });
  const seen = [];
  const listener = client.onNotification((n) => void seen.push(n.data));
  socket.say(...notify(1, 2));
  await socket.expect("ack");
  socket.end();
  const second = await node.next();
  assert.deepEqual((await second.welcome()).resume, { epoch: "e1", seq: 2 });
  await second.expect("ready");
  second.say(...notify(2, 3));
  assert.equal((await second.expect("ack")).seq, 2); // Once more, in case it was lost.
  assert.equal((await second.expect("ack")).seq, 3);
  assert.deepEqual(seen, [1, 2, 3]);
  await listener.stop();
});

test("a handler that throws ends its listener, and nothing is acknowledged", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected({ clientId: "ana" });
  const listener = client.onNotification(() => { throw new Error("no"); });
  const failed = rejected(listener.done);
  socket.say(...notify(1));
  assert.equal((await failed).message, "no");
  assert.deepEqual(client.position, undefined);
});

test("a gap is told, and numbers of another epoch begin anew", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected({ clientId: "ana", resume: { epoch: "old", seq: 9 } });
  const seen = [];
  client.onNotification((n) => void seen.push(n.seq), { onGap: (gap) => seen.push(gap) });
  socket.say({ type: "gap", from: 1, to: 3, reason: "epoch" }, ...notify(4));
  await socket.expect("ack");
  assert.deepEqual(seen, [{ from: 1, to: 3, reason: "epoch" }, 4]);
  assert.deepEqual(client.position, { epoch: "e1", seq: 4 });
});

test("the position is kept per client and device, and read by the next client", async () => {
  const store = new baton.MemoryStore();
  const as = { clientId: "ana", deviceId: "phone", store };
  const node = new FakeNode();
  const { client, socket } = await node.connected(as);
  client.onNotification(() => {});
  socket.say(...notify(1, 2));
  await socket.expect("ack");
  assert.deepEqual((await node.connected(as)).hello.resume, { epoch: "e1", seq: 2 });
  assert.equal((await node.connected({ ...as, deviceId: "laptop" })).hello.resume, undefined);
  assert.equal((await node.connected({ ...as, resume: "live" })).hello.resume, "live");
});

test("what is kept and is no position is left alone", async () => {
  const store = { load: () => "{", save() {} };
  const node = new FakeNode();
  assert.equal((await node.connected({ clientId: "ana", store })).hello.resume, undefined);
});

test("only one listens at a time", async () => {
  const node = new FakeNode();
  const { client } = await node.connected({ clientId: "ana" });
  client.onNotification(() => {});
  assert.match((await rejected(client.onNotification(() => {}).done)).message, /already/);
});
