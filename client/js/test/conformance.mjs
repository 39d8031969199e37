// The interpreter of client/conformance/cases.json for this client. It is run by
// go test ./client/conformance, which starts the cluster and says where it is:
// BATON_NODES, BATON_CONTROL, BATON_CASES, BATON_RUN (what names begin with), and
// BATON_CASE (one case, by its name, whose names begin with BATON_TOGETHER). It
// prints one JSON object for each case.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import * as baton from "../dist/index.js";

const nodes = process.env.BATON_NODES.split(",");
const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;
const patience = 30_000;

/** Looks again until done returns nothing, or fails with what it returned last. */
async function until(done) {
  const deadline = Date.now() + patience;
  for (;;) {
    const missing = done();
    if (!missing) return;
    if (Date.now() > deadline) throw new Error(`waited in vain: ${missing}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const show = (value) => JSON.stringify(value);

/** One run of one case. */
class Run {
  clients = new Map(); // by name: {client, inbox, listener, last}
  workers = new Map(); // by name: {worker, reports, calls}
  followers = new Map(); // by name: {seen, stop, ended}
  stores = new Map();
  saved = new Map();
  background = new Map();
  counters = new Map();
  readers = new Map(); // by name: {text, position, final, stop, ended}
  positions = new Map();
  leases = new Map();
  problems = [];

  constructor(prefix) {
    this.prefix = prefix;
  }

  /** A step's value with what stands for something else put in. */
  fill(value, own = {}) {
    if (typeof value === "string") {
      if (value in own) return own[value];
      if (value.startsWith("$once.")) return own.once.get(value.slice(6));
      const [, name, field] = /^\$(\w+)\.(\w+)$/.exec(value) ?? [];
      if (name) return this.saved.get(name)[field];
      return value.replaceAll("%", this.prefix + "-");
    }
    if (Array.isArray(value)) return value.map((item) => this.fill(item, own));
    if (value === null || typeof value !== "object") return value;
    if (value.$bytes) return Uint8Array.from(value.$bytes);
    if (value.$letters) return "x".repeat(value.$letters);
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, this.fill(item, own)]));
  }

  count(counter) {
    this.counters.set(counter, (this.counters.get(counter) ?? 0) + 1);
  }

  awaitCount({ counter, is }) {
    return until(() => (this.counters.get(counter) ?? 0) !== is && `counter ${counter} is ${this.counters.get(counter) ?? 0}, want ${is}`);
  }

  async close() {
    for (const { client } of this.clients.values()) await client.close();
    await steps.control(this, { action: "reset" });
  }

  end() {
    for (const [name, { inbox }] of this.clients) {
      assert.deepEqual(inbox.filter((i) => i.seq !== undefined).map((n) => n.data), [], `${name} was notified of more than was expected`);
    }
    assert.deepEqual(this.problems, []);
  }
}

/** The endings of the names that a step with a count stands for: their numbers, or nothing where it is for one. */
const each = (s) => (s.count ? Array.from({ length: s.count }, (_, i) => String(i)) : [""]);

/** What each step does. */
const steps = {
  async connect(run, s) {
    if (s.store && !run.stores.has(s.store)) run.stores.set(s.store, new baton.MemoryStore());
    const client = await baton.connect({
      nodes: s.nodes ? s.nodes.map((at) => nodes[at]) : nodes, inOrder: true, givenOnly: s.given_only, WebSocket,
      clientId: s.client_id, deviceId: s.device_id, resume: s.resume, store: s.store ? run.stores.get(s.store) : null,
      name: s.as, signal: AbortSignal.timeout(patience),
    });
    run.clients.set(s.as, { client, inbox: [] });
  },

  async close(run, s) {
    await run.clients.get(s.on).client.close();
  },

  async publish(run, s) {
    const { client } = run.clients.get(s.on);
    const one = (data) =>
      client.publish(s.channel, data, { key: s.key, idempotencyKey: s.idempotency_key, delayMs: s.delay_ms, onEnd: s.on_end, clientId: s.client_id, signal: AbortSignal.timeout(patience) });
    if (s.count) {
      const receipts = await Promise.all(Array.from({ length: s.count }, (_, i) => one(i)));
      assert.equal(new Set(receipts.map((r) => r.eventId)).size, s.count, "event ids");
      return;
    }
    const published = one(s.data);
    if (s.background) {
      published.catch(() => {}); // await looks at it.
      run.background.set(s.background, published);
      return;
    }
    await check(run, s, published);
  },

  await: (run, s) => check(run, s, run.background.get(s.background)),

  async cancel(run, s) {
    await run.clients.get(s.on).client.cancelEvent(s.event_id, { reason: s.reason, signal: AbortSignal.timeout(patience) });
  },

  async cancel_lineage(run, s) {
    await run.clients.get(s.on).client.cancelLineage(s.correlation_id, { reason: s.reason, signal: AbortSignal.timeout(patience) });
  },

  listen(run, s) {
    const c = run.clients.get(s.on);
    c.client.onNotification((n) => void c.inbox.push(n), {
      manualAck: s.manual_ack,
      onGap: (gap) => c.inbox.push({ gap }),
      onSynced: (synced) => c.inbox.push({ synced }),
    });
  },

  listen_for(run, s) {
    const { client } = run.clients.get(s.on);
    for (const ending of each(s)) {
      const c = { client, inbox: [], stop: new AbortController() };
      const stream = client.listenFor(s.client_id + ending, {
        deviceId: s.device_id, window: s.window, resume: s.resume, manualAck: s.manual_ack, signal: c.stop.signal,
        onGap: (gap) => c.inbox.push({ gap }),
        onSynced: (synced) => c.inbox.push({ synced }),
      });
      c.ended = (async () => {
        for await (const n of stream) c.inbox.push(n);
      })().catch((error) => void run.problems.push(String(error)));
      run.clients.set(s.as + ending, c);
    }
  },

  async stop_listening(run, s) {
    const c = run.clients.get(s.on);
    c.stop.abort();
    await c.ended;
  },

  async broadcast(run, s) {
    const { client } = run.clients.get(s.on);
    const told = client.broadcast(s.client_ids ?? each(s).map((ending) => s.client_id + ending), s.name, s.data, {
      idempotencyKey: s.idempotency_key, signal: AbortSignal.timeout(patience),
    });
    if (s.background) {
      told.catch(() => {}); // await looks at it.
      run.background.set(s.background, told);
      return;
    }
    await check(run, s, told);
  },

  async presence(run, s) {
    const { client } = run.clients.get(s.on);
    if (s.error) return ended(s, client.clientPresence(s.client_id));
    const deadline = Date.now() + patience;
    for (;;) {
      const p = await client.clientPresence(s.client_id);
      const found = { connected: p.connected, seq: p.seq, lag: p.devices.reduce((sum, d) => sum + d.lag, 0) };
      if (isDeepStrictEqual(found, s.expect)) return;
      if (Date.now() > deadline) throw new Error(`${s.client_id} is ${show(found)}, want ${show(s.expect)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  },

  async expect_notifications(run, s) {
    for (const ending of each(s)) await expectNotifications(run, { ...s, on: s.on + ending });
  },

  async expect_gap(run, s) {
    const { inbox } = run.clients.get(s.on);
    await until(() => !inbox.some((i) => i.gap) && "no gap came");
    assert.equal(inbox.find((i) => i.gap).gap.reason, s.reason);
  },

  async expect_synced(run, s) {
    const { inbox } = run.clients.get(s.on);
    await until(() => !inbox.some((i) => i.synced !== undefined) && "the stream is not live");
    assert.deepEqual(inbox.filter((i) => i.seq !== undefined).map((n) => n.data), [], "replayed");
  },

  async expect_node(run, s) {
    const { client } = run.clients.get(s.on);
    await until(() => (client.node === "" || client.node === `n${s.is_not}`) && `${s.on} is connected to ${client.node || "nobody"}`);
  },

  work(run, s, raw) {
    const { client } = run.clients.get(s.on);
    const w = { reports: [], calls: 0 };
    const handler = async (job) => {
      const ops = raw.calls[Math.min(w.calls++, raw.calls.length - 1)];
      const own = { $data: job.data, once: new Map() };
      for (const op of ops) await operations[op.op](run, run.fill(op, own), job, own);
    };
    w.worker = client.work(s.channel, handler, {
      group: s.group, from: s.from, credit: s.credit, leaseMs: s.lease_ms, report: (_, error) => void w.reports.push(outcome(error)),
    });
    run.workers.set(s.as, w);
  },

  follow(run, s) {
    const { client } = run.clients.get(s.on);
    const f = { seen: [], stop: new AbortController() };
    f.ended = (async () => {
      for await (const event of client.follow(s.channel, { from: s.from, name: s.name, signal: f.stop.signal })) f.seen.push(event.data);
    })().catch((error) => void run.problems.push(String(error)));
    run.followers.set(s.as, f);
  },

  async expect_events(run, s) {
    const f = run.followers.get(s.follower);
    await until(() => f.seen.length < s.data.length && `${s.follower} has ${show(f.seen)}, want ${show(s.data)}`);
    assert.deepEqual(f.seen.splice(0), s.data);
  },

  async stop_follow(run, s) {
    const f = run.followers.get(s.follower);
    f.stop.abort();
    await f.ended;
  },

  read_stream(run, s) {
    const { client } = run.clients.get(s.on);
    const r = { text: "", stop: new AbortController() };
    r.ended = (async () => {
      for await (const chunk of client.readStream(s.stream, { from: run.positions.get(s.after), signal: r.stop.signal })) {
        r.text = (chunk.reset ? "" : r.text) + chunk.data;
        r.position = chunk.position;
        r.final = chunk.final;
      }
    })().catch((error) => void (r.error = error));
    run.readers.set(s.as, r);
  },

  async expect_stream(run, s) {
    const r = run.readers.get(s.reader);
    if (s.error) {
      await until(() => !r.error && "the stream is not refused");
      return refused(s.error, r.error);
    }
    await until(() => (r.text !== s.text || (s.final && !r.final)) && `the stream says ${show(r.text)} (final: ${r.final}, ${r.error}), want ${show(s.text)}`);
    if (s.save) run.positions.set(s.save, r.position);
  },

  async stop_read(run, s) {
    const r = run.readers.get(s.reader);
    r.stop.abort();
    await r.ended;
  },

  async complete_lease(run, s) {
    const { client } = run.clients.get(s.on);
    await ended(s, client.completeLease(run.leases.get(s.lease), { notify: s.notify, emit: s.emit, signal: AbortSignal.timeout(patience) }));
  },

  async fail_lease(run, s) {
    const { client } = run.clients.get(s.on);
    const failure = await new Promise((resolve) => {
      try { operations.fail(run, s); } catch (error) { resolve(error); }
    });
    await ended(s, client.failLease(run.leases.get(s.lease), failure, { signal: AbortSignal.timeout(patience) }));
  },

  async stop_work(run, s) {
    const stopped = run.workers.get(s.worker).worker.stop();
    if (s.count) run.count(s.count);
    await stopped;
  },

  async expect_reports(run, s) {
    const w = run.workers.get(s.worker);
    await until(() => w.reports.length < s.reports.length && `${s.worker} reported ${show(w.reports)}, want ${show(s.reports)}`);
    assert.deepEqual(w.reports.splice(0, s.reports.length), s.reports);
  },

  async expect_report_count(run, s) {
    const w = run.workers.get(s.worker);
    await until(() => w.reports.length < s.is && `${s.worker} reported ${show(w.reports)}, want ${s.is}`);
  },

  async control(_, s) {
    const { do: _do, ...order } = s;
    const response = await fetch(process.env.BATON_CONTROL, { method: "POST", body: JSON.stringify(order) });
    if (!response.ok) throw new Error(`${order.action}: ${await response.text()}`);
  },

  count: (run, s) => run.count(s.counter),
  wait_for: (run, s) => run.awaitCount(s),
};

/** What a worker does with a job. */
const operations = {
  notify: (_, o, job) => job.notify(o.name, o.data),
  emit: (_, o, job) => job.emit(o.channel, o.data),
  result: (_, o, job) => job.result(o.data),
  checkpoint: (_, o, job) => job.checkpoint(o.data),
  count: (run, o) => run.count(o.counter),
  wait_for: (run, o) => run.awaitCount(o),

  async once(run, o, job, own) {
    own.once.set(o.key, await job.once(o.key, () => {
      run.count(`once:${o.key}`);
      return o.data;
    }));
  },

  expect_attempt(run, o, job) {
    if (job.attempt !== o.is) run.problems.push(`attempt ${job.attempt}, want ${o.is}`);
  },

  expect_checkpoint(run, o, job) {
    const found = job.lastCheckpoint ?? null;
    if (show(found) !== show(o.data)) run.problems.push(`checkpoint ${show(found)}, want ${show(o.data)}`);
  },

  async wait_abort(run, o, job) {
    await until(() => !job.signal.aborted && "the job is not stopped");
    if (o.reason === "lease_lost" && !(job.signal.reason instanceof baton.LeaseLostError)) {
      run.problems.push(`stopped because of ${job.signal.reason}`);
    }
  },

  write: (_, o, job) => job.stream(o.name).write(o.text),
  close_stream: (_, o, job) => job.stream(o.name).close(),

  async park(run, o, job) {
    run.leases.set(o.save, job.leaseToken);
    await job.park();
  },

  fail(_, o) {
    switch (o.kind) {
      case "permanent": throw new baton.PermanentError("it cannot be done");
      case "retry_after": throw new baton.RetryAfter(o.after_ms);
      case "throttled": throw new baton.Throttled(o.after_ms);
      default: throw new Error("it did not work");
    }
  },
};

/** Holds an error against the one that was expected. */
function refused({ class: name, ...fields }, error) {
  assert.ok(error instanceof baton[`${name}Error`], `${error}`);
  for (const [field, want] of Object.entries(fields)) assert.equal(error[field], want, field);
}

/** Holds the end of a lease against what was expected. */
async function ended(s, ending) {
  if (!s.error) await ending;
  else refused(s.error, await ending.then(() => assert.fail("it was not refused"), (error) => error));
}

/** Holds what publishing came to against what was expected. */
async function check(run, s, published) {
  if (s.error) {
    return ended(s, published);
  }
  const r = await published;
  const receipt = { event_id: r.eventId, correlation_id: r.correlationId, offset: r.offset, duplicate: r.duplicate };
  for (const [field, want] of Object.entries(s.expect ?? {})) assert.equal(receipt[field], want, field);
  if (s.save) run.saved.set(s.save, receipt);
}

/** Waits for exactly these notifications of one client. */
async function expectNotifications(run, s) {
  const c = run.clients.get(s.on);
  const notifications = () => c.inbox.filter((i) => i.seq !== undefined);
  await until(() => notifications().length < s.data.length && `${s.on} has ${show(notifications().map((n) => n.data))}, want ${show(s.data)}`);
  const got = notifications();
  c.inbox = [];
  const data = got.map((n) => n.data);
  assert.deepEqual(s.in_any_order ? data.sort() : data, s.data);
  for (const n of got) {
    if (c.last !== undefined) assert.equal(n.seq, c.last + 1, "seq");
    c.last = n.seq;
    if (s.client_id) assert.equal(n.clientId, s.client_id);
    if (s.correlation_id) assert.equal(n.correlationId, s.correlation_id);
  }
  if (s.names) assert.deepEqual(got.map((n) => n.name), s.names);
}

/** How a job ended, in a word. */
function outcome(error) {
  if (!error) return "completed";
  if (error instanceof baton.ParkedError) return "parked";
  if (error instanceof baton.LeaseLostError) return "lease_lost";
  if (error instanceof baton.StoppingError || error instanceof baton.ClosedError) return "released";
  if (error instanceof baton.PermanentError) return "permanent";
  return error instanceof baton.Throttled ? "throttled" : "failed";
}

async function runCase(c, prefix) {
  const run = new Run(prefix);
  try {
    for (const [i, step] of c.steps.entries()) {
      try {
        if (!steps[step.do]) throw new Error("there is no such step");
        await steps[step.do](run, run.fill({ ...step, calls: undefined }), step);
      } catch (error) {
        throw new Error([`step ${i + 1} (${step.do}): ${error.message}`, ...run.problems].join("; "));
      }
    }
  } finally {
    await run.close();
  }
  run.end();
}

const { cases } = JSON.parse(readFileSync(process.env.BATON_CASES, "utf8"));
const only = process.env.BATON_CASE;
for (const [i, c] of cases.entries()) {
  if (only ? c.name !== only : c.by) continue;
  let error;
  await runCase(c, only ? process.env.BATON_TOGETHER : `${process.env.BATON_RUN}-${i}`).catch((thrown) => (error = thrown.message));
  console.log(show({ case: c.name, error }));
}
process.exit();
