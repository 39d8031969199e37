// The page: what was asked is kept in localStorage before it is sent, and an
// answer before it is acknowledged. So a reload loses neither.
"use strict";

const byId = (id) => document.getElementById(id);
let connection, run, nodes;
let questions = []; // newest first: {key, text, hold, at, correlationId?, answer?, seq?, trace?}

function element(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

function save() { localStorage.setItem("baton-demo", JSON.stringify({ run, clientId: connection.clientId, questions })); }

async function start() {
  const state = await (await fetch("state.json")).json();
  let kept = {};
  try { kept = JSON.parse(localStorage.getItem("baton-demo")) || {}; } catch { /* nothing usable */ }
  run = state.run;
  nodes = state.nodes.map((n) => n.url);
  questions = kept.run === run ? kept.questions : []; // another run is another cluster
  const clientId = kept.clientId || "page-" + crypto.randomUUID();
  byId("about").textContent = `${state.folder}, answered by ${state.model || "quotations"}. You are ${clientId}.`;
  connection = new Connection(nodes, clientId, {
    state(text, good) {
      byId("connection").textContent = text;
      byId("connection").className = "badge " + (good ? "good" : "bad");
    },
    welcome() {},
    notify: receive,
    gap(m) { console.warn("notifications", m.from, "to", m.to, "are gone:", m.reason); },
  });
  save();
  for (const q of questions) if (!q.correlationId) publish(q);
  render();
  setInterval(refresh, 700);
}

byId("ask").onsubmit = (event) => {
  event.preventDefault();
  const text = byId("text").value.trim() || byId("text").placeholder;
  byId("text").value = "";
  const q = { key: crypto.randomUUID(), text, hold: byId("slow").checked ? 10000 : 0, at: Date.now() };
  questions.unshift(q);
  save();
  publish(q);
  render();
};

async function publish(q) {
  try {
    const data = q.hold ? { text: q.text, hold_ms: q.hold } : { text: q.text };
    const ok = await connection.publish({ channel: "question.asked", idempotency_key: q.key, data });
    q.correlationId = ok.correlation_id;
  } catch (error) {
    q.refused = error.message;
  }
  save();
  render();
}

function receive(message) {
  // The answer can overtake the ok: then the question is found by its text.
  const q = questions.find((q) => q.correlationId === message.correlation_id)
    || questions.find((q) => !q.correlationId && q.text === message.data.question);
  if (q && !q.answer) {
    q.correlationId = message.correlation_id;
    q.answer = message.data;
    q.seq = message.seq;
    q.took = Date.now() - q.at;
    save();
  }
  connection.ack(message.seq);
  render();
}

// fetchAny asks one node after the other.
async function fetchAny(path) {
  for (const node of nodes) {
    try {
      const response = await fetch(node + path, { signal: AbortSignal.timeout(2000) });
      if (response.ok) return await response.json();
    } catch { /* the next one */ }
  }
  return null;
}

let refreshing = false;
async function refresh() {
  if (refreshing) return;
  refreshing = true;
  try {
    for (const q of questions.filter((q) => q.correlationId && !q.traced).slice(0, 8)) {
      const trace = await fetchAny("/v1/traces/" + encodeURIComponent(q.correlationId));
      if (!trace) continue;
      q.trace = trace.marks;
      // After the acknowledgement nothing more is to come.
      q.traced = trace.marks.some((m) => m.mark === "acknowledged");
      save();
      render();
    }
    const state = await (await fetch("state.json")).json();
    const table = byId("processes");
    table.replaceChildren(...[...state.nodes, ...state.workers].map((p) => {
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

function renderTrace(q) {
  const table = element("table");
  const head = element("tr");
  for (const name of ["ms", "what", "channel", "attempt", "worker", "node", "took"]) head.append(element("th", name));
  table.append(head);
  const begin = q.trace.length ? q.trace[0].time : 0;
  for (const m of q.trace) {
    const row = element("tr");
    if (m.attempt > 1 || m.mark === "expired") row.className = "again";
    const cells = [m.time - begin, m.mark + (m.name ? " " + m.name : "") + (m.seq ? " #" + m.seq : ""),
      m.channel || "", m.attempt || "", m.worker || "", m.node || "", m.duration_ms != null ? m.duration_ms + " ms" : ""];
    for (const cell of cells) row.append(element("td", cell));
    table.append(row);
  }
  const details = element("details");
  details.open = q.open !== false;
  details.ontoggle = () => { q.open = details.open; };
  details.append(element("summary", "trace " + q.correlationId), table);
  return details;
}

function render() {
  byId("questions").replaceChildren(...questions.map((q) => {
    const box = element("article");
    box.append(element("h3", q.text), element("time", new Date(q.at).toLocaleTimeString()));
    if (q.answer) {
      box.append(element("p", q.answer.answer, "answer"));
      box.append(element("p", `number ${q.seq}, by ${q.answer.by}, after ${q.took} ms` + (q.answer.note ? ` (${q.answer.note})` : ""), "by"));
      const list = element("ol", undefined, "sources");
      for (const s of q.answer.sources || []) list.append(element("li", `${s.file}, line ${s.line} ${s.heading || ""}`));
      box.append(list);
    } else {
      box.append(element("p", q.refused ? "refused: " + q.refused : q.correlationId ? "stored; working on it" : "sending", q.refused ? "bad" : "by"));
    }
    if (q.trace) box.append(renderTrace(q));
    return box;
  }));
}

start().catch((error) => { byId("connection").textContent = String(error); });
