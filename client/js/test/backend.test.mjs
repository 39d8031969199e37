import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import * as baton from "../dist/index.js";
import { FakeNode, rejected } from "./fake.mjs";

const notify = (subscription, client_id, ...seqs) =>
  seqs.map((seq) => ({ type: "notify", subscription, client_id, seq, name: "n", event_id: "e", correlation_id: "c", causation_id: "c", time: 1, data: seq }));
const listens = (socket, { id }, subscription, fields = {}) =>
  socket.say({ type: "ok", id, subscription, epoch: "x1", seq: 9, oldest: 1, resumed: "full", ...fields });

/** Listens in the background, and writes down what comes. */
function hearing(client, clientId, options = {}) {
  const heard = { seen: [], stop: new AbortController() };
  heard.done = (async () => {
    for await (const n of client.listenFor(clientId, {
      ...options, signal: heard.stop.signal,
      onGap: (gap) => heard.seen.push(gap), onSynced: (seq) => heard.seen.push(`synced ${seq}`),
    })) heard.seen.push(`${n.clientId} ${n.seq}`);
  })();
  return heard;
}

test("several clients are listened for on one socket, and a lost one is not noticed", async () => {
  const node = new FakeNode();
  const { client, socket, hello } = await node.connected();
  assert.equal(hello.client_id, undefined);
  const ana = hearing(client, "ana", { deviceId: "web", window: 5 });
  const ben = hearing(client, "ben", { resume: "live" });
  const first = await socket.expect("listen");
  assert.deepEqual(first, { type: "listen", id: first.id, client_id: "ana", device_id: "web", window: 5 });
  const second = await socket.expect("listen");
  assert.deepEqual([second.client_id, second.resume], ["ben", "live"]);
  listens(socket, first, "s1");
  listens(socket, second, "s2");
  socket.say(...notify("s1", "ana", 1, 2), ...notify("s2", "ben", 10), ...notify("s3", "nobody", 1));
  const acks = {};
  while (acks.s1 !== 2 || acks.s2 !== 10) {
    const ack = await socket.expect("ack");
    acks[ack.subscription] = ack.seq;
  }
  socket.end();
  const next = await node.next();
  await next.welcome();
  for (const [clientId, seq] of [["ana", 2], ["ben", 10]]) {
    const again = await next.expect("listen");
    assert.deepEqual([again.client_id, again.resume], [clientId, { epoch: "x1", seq }]);
    listens(next, again, `again-${clientId}`);
    const repeated = await next.expect("ack"); // Once more, in case it was lost.
    assert.deepEqual([repeated.subscription, repeated.seq], [`again-${clientId}`, seq]);
  }
  next.say(...notify("s1", "ana", 3)); // Of the socket before.
  next.say(...notify("again-ana", "ana", 2, 3), { type: "synced", subscription: "again-ana", seq: 3 });
  next.say({ type: "gap", subscription: "again-ben", from: 11, to: 12, reason: "trimmed" }, ...notify("again-ben", "ben", 13));
  while ((await next.expect("ack")).seq !== 13);
  assert.deepEqual(ana.seen, ["ana 1", "ana 2", "ana 3", "synced 3"]);
  assert.deepEqual(ben.seen, ["ben 10", { from: 11, to: 12, reason: "trimmed" }, "ben 13"]);
});

test("a stream that began live and brought nothing goes on where it began", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  hearing(client, "ana", { resume: "live" });
  listens(socket, await socket.expect("listen"), "s1");
  socket.end();
  const next = await node.next();
  await next.welcome();
  assert.deepEqual((await next.expect("listen")).resume, { epoch: "x1", seq: 9 });
});

test("the end of the loop ends the listening, behind the last acknowledgement", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const loop = (async () => {
    for await (const n of client.listenFor("ana")) {
      if (n.seq === 2) break;
    }
  })();
  listens(socket, await socket.expect("listen"), "s1");
  socket.say(...notify("s1", "ana", 1, 2, 3));
  await loop;
  await socket.expect("unlisten");
  assert.deepEqual(socket.heard, [{ type: "ack", subscription: "s1", seq: 1 }], "the ack came behind, or is of what was being handled");
  socket.end();
  const next = await node.next();
  await next.welcome();
  rejected(client.publish("q", 1));
  await next.expect("publish");
  assert.deepEqual(next.heard, [], "it listens still");
  assert.deepEqual([client.others.streams.size, client.others.named.size], [0, 0], "what ended is kept");
});

test("a listening that is ended before its answer is ended when that comes", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const ana = hearing(client, "ana");
  const listen = await socket.expect("listen");
  ana.stop.abort();
  await ana.done;
  assert.deepEqual(socket.heard, []);
  listens(socket, listen, "s1");
  assert.equal((await socket.expect("unlisten")).subscription, "s1");
});

test("what is acknowledged by hand is acknowledged then, and nothing else is", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const stream = client.listenFor("ana", { manualAck: true, window: 1 });
  const first = stream.next();
  listens(socket, await socket.expect("listen"), "s1");
  socket.say(...notify("s1", "ana", 1, 2));
  await first;
  const second = (await stream.next()).value;
  assert.deepEqual(socket.heard, []);
  second.ack();
  assert.deepEqual(await socket.expect("ack"), { type: "ack", subscription: "s1", seq: 2 });
});

test("a refusal ends the loop, and one that may pass is waited out", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const ana = hearing(client, "ana");
  const failed = rejected(ana.done);
  const refuse = ({ id }, reason, retryable) => socket.say({ type: "error", id, code: 400, reason, message: "no", retryable });
  refuse(await socket.expect("listen"), "overloaded", true);
  refuse(await socket.expect("listen"), "forbidden", false);
  assert.ok((await failed) instanceof baton.ForbiddenError);
  for (const [clientId, options] of [["", {}], ["x".repeat(256), {}], ["ana", { deviceId: "ü".repeat(128) }], ["ana", { window: 0 }]]) {
    assert.throws(() => client.listenFor(clientId, options), baton.BadRequestError);
  }
});

test("numbers of another epoch begin anew", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const ana = hearing(client, "ana", { resume: { epoch: "old", seq: 9 } });
  const listen = await socket.expect("listen");
  assert.deepEqual(listen.resume, { epoch: "old", seq: 9 });
  listens(socket, listen, "s1");
  socket.say({ type: "gap", subscription: "s1", from: 1, to: 9, reason: "epoch" }, ...notify("s1", "ana", 4));
  assert.equal((await socket.expect("ack")).seq, 4);
  assert.deepEqual(ana.seen, [{ from: 1, to: 9, reason: "epoch" }, "ana 4"]);
});

test("a backend asks a node for few listens at a time", async () => {
  const node = new FakeNode();
  const limits = { limits: { max_in_flight: 4, window: 64 } };
  const { client, socket } = await node.connected({}, limits);
  const many = 9;
  const streams = Array.from({ length: many }, (_, i) => hearing(client, `c${i}`));
  const inTurns = async (socket, skipped) => {
    let open = [await socket.expect("listen"), await socket.expect("listen")];
    const asked = open.map((m) => m.client_id);
    while (asked.length < many - skipped) {
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(socket.heard.filter((m) => m.type === "listen"), [], "more than its turns were asked for");
      const answered = open.shift();
      listens(socket, answered, `s-${answered.client_id}`);
      const next = await socket.expect("listen");
      open.push(next);
      asked.push(next.client_id);
    }
    return asked;
  };
  assert.deepEqual(await inTurns(socket, 0), streams.map((_, i) => `c${i}`));
  socket.end();
  const next = await node.next();
  streams[5].stop.abort(); // It gives up its turn.
  await streams[5].done;
  await next.welcome(limits);
  assert.deepEqual(await inTurns(next, 1), ["c0", "c1", "c2", "c3", "c4", "c6", "c7", "c8"]);
});

test("a client that is closed ends its loops, and listens for nobody", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const ana = hearing(client, "ana");
  await socket.expect("listen");
  const closing = client.close();
  await ana.done;
  await socket.expect("bye");
  socket.end(1000);
  await closing;
  assert.equal((await client.listenFor("ana").next()).done, true);
});

test("what was handled is acknowledged before the goodbye", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected({ ackDelayMs: 60_000 });
  const first = client.listenFor("ana").next();
  listens(socket, await socket.expect("listen"), "s1");
  socket.say(...notify("s1", "ana", 1));
  (await first).value.ack();
  const closing = client.close();
  await socket.expect("bye");
  assert.deepEqual(socket.heard, [{ type: "ack", subscription: "s1", seq: 1 }]);
  socket.end(1000);
  await closing;
});

test("a broadcast is sent again until it is answered, with one idempotency key", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  const told = client.broadcast(["ana", "ben"], "news", { n: 1 }, { causationId: "why" });
  const first = await socket.expect("broadcast");
  assert.deepEqual([first.client_ids, first.name, first.data, first.causation_id], [["ana", "ben"], "news", { n: 1 }, "why"]);
  assert.ok(first.idempotency_key);
  socket.end();
  const second = await node.next();
  await second.welcome();
  const again = await second.expect("broadcast");
  assert.deepEqual(again, first);
  second.say({ type: "error", id: again.id, code: 503, reason: "no_leader", message: "none", retryable: true });
  const third = await second.expect("broadcast");
  assert.equal(third.idempotency_key, first.idempotency_key);
  second.say({ type: "ok", id: third.id, event_id: "e", correlation_id: "c", duplicate: true });
  assert.deepEqual(await told, { eventId: "e", correlationId: "c", duplicate: true });
  for (const clientIds of ["ana", [], Array(10_001).fill("ana")]) {
    assert.ok((await rejected(client.broadcast(clientIds, "news"))) instanceof baton.BadRequestError);
  }
});

test("a backend publishes for its clients", async () => {
  const node = new FakeNode();
  const { client, socket } = await node.connected();
  rejected(client.publish("q", 1, { clientId: "ana" }));
  assert.equal((await socket.expect("publish")).client_id, "ana");
});

test("presence is asked of one node after the other, as who the client is", async () => {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push([request.url, request.headers.authorization]);
    const found = request.url.startsWith("/v1/clients/ana%2F1?");
    response.writeHead(found ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(found
      ? { client_id: "ana/1", tenant: "t", connected: true, epoch: "x1", seq: 3, oldest: 1,
          devices: [{ device_id: "default", connected: true, nodes: ["n0"], sent: 3, acked: 2, lag: 1, acked_time: 5 }, { device_id: "old", connected: false, nodes: [], acked: 0, lag: 3 }] }
      : { code: 404, reason: "not_found", detail: "there is no such client", retryable: false }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const node = new FakeNode();
  const url = `http://127.0.0.1:${server.address().port}/ws`;
  const { client } = await node.connected({ nodes: ["http://127.0.0.1:1", url], inOrder: true, tenant: "t", token: () => "secret" });
  assert.deepEqual(await client.clientPresence("ana/1"), {
    clientId: "ana/1", tenant: "t", connected: true, epoch: "x1", seq: 3, oldest: 1,
    devices: [
      { deviceId: "default", connected: true, nodes: ["n0"], sent: 3, acked: 2, lag: 1, ackedTime: new Date(5) },
      { deviceId: "old", connected: false, nodes: [], sent: 0, acked: 0, lag: 3, ackedTime: undefined },
    ],
  });
  assert.deepEqual(asked, [["/v1/clients/ana%2F1?tenant=t", "Bearer secret"]]);
  const missing = await rejected(client.clientPresence("nobody"));
  assert.ok(missing instanceof baton.NotFoundError);
  assert.match(missing.message, /there is no such client/);
  server.close();
  server.closeAllConnections();
  assert.ok((await rejected(client.clientPresence("ana"))) instanceof baton.ConnectError);
});

test("runs are started, waited for, listed and steered, and messages sent", async () => {
  const asked = [];
  const run = {
    run_id: "r1", workflow: "w", version: "v", state: "succeeded", key: "ana", correlation_id: "r1", started_at: 5, ended_at: 9,
    usage: { steps: 1, tokens: 2, cost: 0.5 }, result_base64: "/w==", input: null, waits: [{ due_at: 7 }, { message: "m", key: "k" }],
    steps: [{ step: "a", item: 2, event_id: "e", state: "completed", attempts: 1, time: 6, ended_at: 8 }],
    compensations: [{ step: "a", state: "registered" }],
  };
  const running = { ...run, state: "running", ended_at: undefined, result_base64: undefined, result: undefined };
  const answers = [
    [202, { run_id: "r1", correlation_id: "r1" }], [200, running], [200, run], [200, { runs: [run], cursor: "c" }],
    [200, { run_id: "r1" }], [200, { run_id: "r2" }], [200, { name: "m", key: "k", duplicate: true }],
    [404, { code: 404, reason: "not_found", detail: "no such run", retryable: false }],
  ];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    asked.push([request.method, request.url, body && JSON.parse(body), request.headers["idempotency-key"]]);
    const [status, answer] = answers.shift();
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(answer));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const node = new FakeNode();
  const { client } = await node.connected({ nodes: `http://127.0.0.1:${server.address().port}`, clientId: "ana", tenant: "t" });
  assert.deepEqual(await client.startRun("w", { n: 1 }, { alias: "next", onEnd: "done" }), { runId: "r1", correlationId: "r1", duplicate: false });
  const ended = await client.awaitRun("r1");
  assert.deepEqual([ended.state, ended.endedAt, ended.result, ended.input], ["succeeded", new Date(9), Uint8Array.of(255), null]);
  assert.deepEqual([ended.waits, ended.steps[0].item, ended.steps[0].endedAt, ended.steps[0].startedAt],
    [[{ dueAt: new Date(7) }, { message: "m", key: "k" }], 2, new Date(8), undefined]);
  const page = await client.runs({ workflow: "w", since: new Date(5), limit: 1 });
  assert.deepEqual([page.cursor, page.runs[0].runId], ["c", "r1"]);
  await client.cancelRun("r1", { reason: "no", noCompensation: true });
  assert.equal(await client.controlRun("r1", "fork", { step: "a", data: null }), "r2");
  assert.deepEqual(await client.message("m", "k", new Uint8Array([1]), { id: "i" }), { duplicate: true });
  assert.ok((await rejected(client.run("r9"))) instanceof baton.NotFoundError);
  const [start, ...others] = asked;
  assert.match(start[2].idempotency_key, /^~/);
  delete start[2].idempotency_key;
  assert.deepEqual(start.slice(0, 3), ["POST", "/v1/runs", { workflow: "w", alias: "next", client_id: "ana", on_end: "done", tenant: "t", data: { n: 1 } }]);
  assert.deepEqual(others.map(([method, url, body]) => [method, url, body]), [
    ["GET", "/v1/runs/r1?wait=10s&tenant=t", ""], ["GET", "/v1/runs/r1?wait=10s&tenant=t", ""],
    ["GET", "/v1/runs?workflow=w&since=5&limit=1&tenant=t", ""],
    ["POST", "/v1/runs/r1/cancel?tenant=t", { reason: "no", no_compensation: true }],
    ["POST", "/v1/runs/r1/fork?tenant=t", { step: "a", data: null }],
    ["POST", "/v1/messages", { name: "m", key: "k", id: "i", tenant: "t", data_base64: "AQ==" }],
    ["GET", "/v1/runs/r9?tenant=t", ""],
  ]);
  assert.ok(others[3][3] && others[3][3] !== others[4][3], "each request has a key of its own");
  server.close();
  server.closeAllConnections();
});
