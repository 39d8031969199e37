import assert from "node:assert/strict";
import { test } from "node:test";
import * as baton from "../dist/index.js";
import { FakeNode, rejected } from "./fake.mjs";

const job = (lease) => ({
  type: "job", subscription: "s1", lease, fence: 1, event_id: "e1", channel: "q", group: "default", attempt: 1, lease_ms: 60_000, key: "k",
  correlation_id: "c", causation_id: "c", tenant: "default", data: 1,
});

/** A worker whose handler is given to the test, with its first socket. */
async function working(handler, reports = []) {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  client.work("q", handler, { report: (_, error) => void reports.push(error) });
  const { id } = await socket.expect("subscribe");
  socket.say({ type: "ok", id, subscription: "s1" }, job("l1"));
  return { node, client, socket, reports };
}

const said = ({ offset, data, data_base64, final }) => [offset, data ?? data_base64, final];

test("a stream of text is cut between characters, and said again on another socket before the job's end", async () => {
  let stream, finish;
  const done = new Promise((resolve) => (finish = resolve));
  const { node, socket } = await working((j) => {
    stream = j.stream();
    stream.write("b\ud834");
    return done;
  });
  assert.deepEqual(said(await socket.expect("chunk")), [0, "b", undefined]);
  stream.write("\udd1et");
  stream.write("\ud834!");
  assert.deepEqual(said(await socket.expect("chunk")), [1, "𝄞t", undefined]);
  assert.deepEqual(said(await socket.expect("chunk")), [6, "\ufffd!", undefined], "a half character");
  finish();
  await socket.expect("complete");
  socket.end();
  const second = await node.next();
  await second.welcome();
  assert.deepEqual(said(await second.expect("chunk")), [0, "b", undefined]);
  assert.deepEqual(said(await second.expect("chunk")), [1, "𝄞t", undefined]);
  const types = second.heard.map((m) => m.type);
  assert.ok(types.indexOf("chunk") < types.indexOf("complete"), String(types));
});

test("what is long goes in several chunks, a stream of bytes as bytes, and close is the end", async () => {
  const long = "水".repeat(10_000);
  const { socket } = await working((j) => {
    j.stream("notes").write(long);
    j.stream("notes").close();
    j.stream("notes").write("too late");
    j.binaryStream("raw").write(Uint8Array.of(0, 255));
    assert.throws(() => j.binaryStream("raw").write("text"), baton.BadRequestError);
    assert.throws(() => j.stream("a/b"), baton.BadRequestError);
  });
  let text = "";
  for (let chunk; !chunk?.final; ) {
    chunk = await socket.expect("chunk");
    assert.equal(chunk.offset, new TextEncoder().encode(text).length);
    assert.equal(chunk.stream, "notes");
    text += chunk.data ?? "";
  }
  assert.equal(text, long);
  assert.deepEqual(said(await socket.expect("chunk")), [0, "AP8=", undefined]);
});

test("a reader goes on behind what it has, passes over what came before, and sees another attempt", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const chunk = (attempt, offset, data, rest = {}) => ({ type: "chunk", stream: "e1", correlation_id: "c", attempt, offset, data, ...rest });
  const chunks = client.readStream("e1", { from: { attempt: 1, offset: 3 } });
  const first = chunks.next();
  const read = await socket.expect("read");
  assert.deepEqual([read.stream, read.attempt, read.offset], ["e1", 1, 3]);
  socket.say(chunk(1, 0, "not asked for yet"), { type: "ok", id: read.id }, chunk(1, 0, "ab"), chunk(1, 0, "abc水"));
  assert.deepEqual((await first).value, {
    stream: "e1", correlationId: "c", attempt: 1, offset: 3, data: "水", position: { attempt: 1, offset: 6 }, reset: false, final: false,
  });
  socket.end();
  const second = await node.next();
  await second.welcome();
  const again = await second.expect("read");
  assert.deepEqual([again.attempt, again.offset], [1, 6]);
  second.say({ type: "ok", id: again.id }, { type: "reset", stream: "e1", attempt: 2 }, chunk(2, 0, "x"), chunk(3, 0, "y"), chunk(3, 1, undefined, { final: true }));
  const rest = [];
  for await (const c of chunks) rest.push([c.attempt, c.data, c.reset, c.final]);
  assert.deepEqual(rest, [[2, "", true, false], [2, "x", false, false], [3, "y", true, false], [3, "", false, true]]);
});

test("reading waits for its turn, and ends with a refusal", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const first = rejected(client.readStream("e1").next());
  const read = await socket.expect("read");
  socket.say({ type: "error", id: read.id, code: 503, reason: "overloaded", message: "no", retryable: true, retry_after_ms: 1 });
  const again = await socket.expect("read");
  socket.say({ type: "error", id: again.id, code: 404, reason: "not_found", message: "no", retryable: false });
  assert.ok((await first) instanceof baton.NotFoundError);
});

test("a slow reader asks again for what it had no room for", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const chunks = client.readStream("e1");
  const first = chunks.next();
  const read = await socket.expect("read");
  const data = "x".repeat(700_000);
  socket.say({ type: "ok", id: read.id }, ...[0, 1, 2].map((n) => ({ type: "chunk", stream: "e1", correlation_id: "c", attempt: 1, offset: n * data.length, data })));
  await first;
  assert.equal((await chunks.next()).value.position.offset, 1_400_000);
  const third = chunks.next();
  const again = await socket.expect("read");
  assert.equal(again.offset, 1_400_000);
  socket.say({ type: "ok", id: again.id }, { type: "chunk", stream: "e1", correlation_id: "c", attempt: 1, offset: 1_400_000, data: "end", final: true });
  assert.equal((await third).value.data, "end");
});

test("a parked job is not renewed any more, and what its handler throws changes nothing", async () => {
  const { socket, reports } = await working(async (j) => {
    await j.park({ timeoutMs: 1.5 });
    throw new Error("behind the park");
  });
  const park = await socket.expect("park");
  assert.deepEqual([park.lease, park.timeout_ms], ["l1", 2]);
  socket.say({ type: "renewed", leases: [], lost: ["l1"] }, { type: "ok", id: park.id });
  while (reports.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.ok(reports[0] instanceof baton.ParkedError, String(reports[0]));
  assert.equal(reports[0].cause.message, "behind the park");
  assert.deepEqual(socket.heard.filter((m) => m.type === "fail" || m.type === "complete"), []);
});

test("a lease is ended from outside with all that a job can say", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const completing = client.completeLease("l1", { result: { a: 1 }, usage: 2, emit: [{ channel: "next", data: 7, clientId: "bob" }], notify: [{ name: "n", data: Uint8Array.of(1) }] });
  const { id, ...complete } = await socket.expect("complete");
  assert.deepEqual(complete, {
    type: "complete", lease: "l1", result: { a: 1 }, usage: 2, emit: [{ client_id: "bob", channel: "next", data: 7 }], notify: [{ name: "n", data_base64: "AQ==" }],
  });
  socket.say({ type: "ok", id, events: ["e9", null] });
  assert.deepEqual(await completing, ["e9", null]);
  const failing = client.failLease("l2", new baton.PermanentError("no", { code: "rejected" }));
  const fail = await socket.expect("fail");
  assert.deepEqual([fail.lease, fail.error.code, fail.retryable], ["l2", "rejected", false]);
  socket.say({ type: "error", id: fail.id, code: 409, reason: "lease_lost", message: "no", retryable: false });
  assert.ok((await rejected(failing)) instanceof baton.LeaseLostError);
  await assert.rejects(client.completeLease(""), baton.BadRequestError);
});

test("a source gives a fresh token for each connection, and in time", async () => {
  const node = new FakeNode();
  let given = 0;
  const token = async () => {
    if (++given === 3) throw new Error("no token for once");
    return `t${given}`;
  };
  const { socket, hello } = await node.connected({ token }, { token_expires_ms: 1 });
  assert.equal(hello.token, "t1");
  const auth = await socket.expect("auth");
  assert.equal(auth.token, "t2");
  socket.say({ type: "ok", id: auth.id });
  socket.end();
  const second = await node.next();
  assert.equal((await second.welcome()).token, "t4");
});
