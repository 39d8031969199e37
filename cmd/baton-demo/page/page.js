// The page: what was asked is kept in localStorage before it is sent, and what it was
// told before that is acknowledged. So a reload loses neither.
"use strict";

const byId = (id) => document.getElementById(id);
let connection, cluster, nodes;
// Newest first: {key, text, hold, wantsReview, fail, at, runId?, growing?, review?, decided?,
// answer?, seq?, ended?, run?, trace?}. The key is the question's correlation id.
let questions = [];
const view = new View(byId("questions"), decide);

function save() {
  localStorage.setItem("baton-demo", JSON.stringify({ cluster, clientId: connection.clientId, questions }));
}

async function start() {
  const state = await (await fetch("state.json")).json();
  let kept = {};
  try { kept = JSON.parse(localStorage.getItem("baton-demo")) || {}; } catch { /* nothing usable */ }
  cluster = state.cluster;
  nodes = state.nodes.map((n) => n.url);
  questions = kept.cluster === cluster ? kept.questions : []; // of another cluster it is history
  const clientId = kept.clientId || "page-" + crypto.randomUUID();
  byId("about").textContent = `${state.folder}, answered by ${state.model || "quotations"}. You are ${clientId}.`;
  connection = new Connection(nodes, clientId, {
    state(text, good) {
      byId("connection").textContent = text;
      byId("connection").className = "badge " + (good ? "good" : "bad");
    },
    welcome() {},
    notify: receive,
    chunk: grow,
    gap(m) { console.warn("notifications", m.from, "to", m.to, "are gone:", m.reason); },
  });
  for (const q of questions) delete q.growing; // What is being written comes again, from its beginning.
  save();
  for (const q of questions) {
    if (!q.runId && !q.refused) publish(q);
    if (q.decided !== undefined && !q.ended) decide(q, q.decided);
  }
  view.show(questions);
  setInterval(refresh, 700);
}

byId("ask").onsubmit = (event) => {
  event.preventDefault();
  const text = byId("text").value.trim() || byId("text").placeholder;
  byId("text").value = "";
  const q = {
    key: crypto.randomUUID(), text, at: Date.now(),
    hold: byId("slow").checked ? 10000 : 0, wantsReview: byId("review").checked, fail: byId("fail").checked,
  };
  questions.unshift(q);
  save();
  publish(q);
  view.show(questions);
};

// publish starts a run of the workflow: its id is the event's.
async function publish(q) {
  try {
    const data = { text: q.text, hold_ms: q.hold, review: q.wantsReview, fail: q.fail };
    const ok = await connection.publish({ channel: "question.asked", idempotency_key: q.key, correlation_id: q.key, data });
    q.runId = ok.event_id;
  } catch (error) {
    q.refused = error.message;
  }
  save();
  view.show(questions);
}

const asked = (message) => questions.find((q) => q.key === message.correlation_id);

function receive(message) {
  const q = asked(message);
  switch (q && message.name) {
    case "review.asked":
      q.review = message.data;
      break;
    case "answer.ready":
      q.answer = message.data;
      q.seq = message.seq;
      q.took = Date.now() - q.at;
      break;
    case "question.ended":
      q.ended = message.data;
      break;
  }
  save();
  connection.ack(message.seq);
  view.show(questions);
  refresh();
}

// grow shows an answer while it is written. Another attempt writes another one.
function grow(message) {
  const q = asked(message) || questions.find((q) => q.growing && q.growing.stream === message.stream);
  if (!q) return;
  if (!q.growing || message.type === "reset" || message.attempt !== q.growing.attempt || message.offset === 0) {
    q.growing = { stream: message.stream, attempt: message.attempt, text: "" };
  }
  q.growing.text += message.data || "";
  view.show(questions);
}

// decide sends the message that the review waits for. Its id makes it arrive once, however
// often it is sent.
async function decide(q, approved) {
  q.decided = approved;
  save();
  view.show(questions);
  const message = { name: "approval", key: q.review.run, id: "review of " + q.review.run, data: { approved } };
  if (!await askAny("/v1/messages", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(message) })) {
    delete q.decided; // No node took it: the buttons are there again.
    save();
    view.show(questions);
  }
}

// askAny asks one node after the other.
async function askAny(path, request = {}) {
  for (const node of nodes) {
    try {
      const response = await fetch(node + path, { ...request, signal: AbortSignal.timeout(2000) });
      if (response.ok) return await response.json();
    } catch { /* the next one */ }
  }
  return null;
}

async function look(q) {
  if (!q.over) {
    const run = await askAny("/v1/runs/" + encodeURIComponent(q.runId));
    if (run) {
      q.run = run;
      q.over = !!run.ended_at;
    }
  }
  const trace = await askAny("/v1/traces/" + encodeURIComponent(q.key));
  if (trace) {
    q.trace = trace.marks;
    // After the end's acknowledgement nothing more is to come.
    q.traced = q.over && trace.ended && trace.marks.some((m) => m.mark === "acknowledged" && m.name === "question.ended");
  }
}

let refreshing = false;
async function refresh() {
  if (refreshing) return;
  refreshing = true;
  try {
    for (const q of questions.filter((q) => q.runId && !q.traced).slice(0, 8)) {
      await look(q);
      save();
      view.show(questions);
    }
    const state = await (await fetch("state.json")).json();
    byId("ledger").textContent = `${state.ledger.charged} charged, ${state.ledger.published} published, ${state.ledger.ended} runs ended`;
    byId("processes").replaceChildren(...[...state.nodes, ...state.workers].map((p) => {
      const row = element("tr");
      const stateCell = element("td", p.alive ? "alive" : "gone", p.alive ? "" : "bad");
      row.append(element("td", p.name), stateCell, element("td", p.alive ? "kill -9 " + p.pid : ""), element("td", p.url || ""));
      return row;
    }));
  } catch {
    byId("connection").textContent = "the demo has ended";
  } finally {
    refreshing = false;
  }
}

start().catch((error) => { byId("connection").textContent = String(error); });
