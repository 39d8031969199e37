// What the page shows of a question. A part is built anew only when what it shows has
// changed, so that a button stays where it is while it is pressed.
"use strict";

function element(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

class View {
  // decide(question, approved) is called when a review was decided.
  constructor(into, decide) {
    this.into = into;
    this.decide = decide;
    this.boxes = new Map(); // a question's key -> {box, parts}
  }

  show(questions) {
    for (const q of questions) {
      let kept = this.boxes.get(q.key);
      if (!kept) this.boxes.set(q.key, kept = { box: element("article"), parts: new Map() });
      this.fill(kept, q);
    }
    const wanted = questions.map((q) => this.boxes.get(q.key).box);
    if (wanted.some((box, i) => this.into.children[i] !== box)) this.into.replaceChildren(...wanted);
  }

  fill({ box, parts }, q) {
    box.dataset.status = q.ended ? q.ended.status : q.run ? q.run.state : "";
    let changed = false;
    const part = (name, shown, build) => {
      const was = parts.get(name), is = JSON.stringify(shown);
      if (was && was.is === is) return;
      parts.set(name, { is, nodes: shown ? build() : [] });
      changed = true;
    };
    part("head", q.text, () => [element("h3", q.text), element("time", new Date(q.at).toLocaleTimeString())]);
    part("steps", q.run && [q.run, q.ended], () => [this.steps(q)]);
    part("answer", [q.answer, q.growing, q.refused, q.ended, q.review, !!q.runId], () => this.answer(q));
    part("review", !q.ended && q.review && [q.review, q.decided], () => [this.review(q)]);
    part("trace", q.trace && [q.trace], () => [this.trace(q)]);
    if (changed) box.replaceChildren(...[...parts.values()].flatMap((p) => p.nodes));
  }

  // steps is a line of the steps that were taken, how far each is, and what was undone.
  steps(q) {
    const list = element("ul", undefined, "steps");
    const bySteps = new Map();
    for (const job of q.run.steps || []) bySteps.set(job.step, [...(bySteps.get(job.step) || []), job]);
    const add = (name, text, className) => {
      const item = element("li", text, className);
      item.dataset.step = name;
      list.append(item);
    };
    for (const [name, jobs] of bySteps) {
      const done = jobs.filter((j) => j.state === "completed").length;
      const odd = jobs.find((j) => j.state !== "completed");
      const count = jobs.length > 1 ? ` ${done} of ${jobs.length}` : "";
      const attempts = Math.max(...jobs.map((j) => j.attempts || 0));
      const state = !odd ? "" : odd.state === "dead" ? " failed" : ": " + odd.state;
      add(name, name + count + state + (attempts > 1 ? `, ${attempts} attempts` : ""), (odd ? odd.state : "completed") + (odd && !q.run.ended_at ? " now" : ""));
    }
    if (!q.run.ended_at && q.run.step && !bySteps.has(q.run.step)) {
      add(q.run.step, q.run.step + (q.run.waits ? ": waiting" : ""), "now");
    }
    for (const c of q.run.compensations || []) {
      if (c.state === "registered") continue; // Only if the run fails.
      add("undo-" + c.step, c.state === "completed" ? c.step + " undone" : `undoing ${c.step}: ${c.state}`, c.state === "completed" ? "undone" : "now");
    }
    add("run", "run " + q.run.state, q.run.ended_at ? (q.run.state === "succeeded" ? "completed" : "failed") : "");
    return list;
  }

  answer(q) {
    if (q.refused) return [element("p", "refused: " + q.refused, "bad")];
    if (q.answer) {
      const list = element("ol", undefined, "sources");
      for (const s of q.answer.sources || []) list.append(element("li", `${s.file}, line ${s.line} ${s.heading || ""}`));
      return [element("p", q.answer.answer, "answer"), element("p", `number ${q.seq}, by ${q.answer.by}, ` +
        `${Math.round(100 * q.answer.confidence)}% sure, after ${q.took} ms` + (q.answer.note ? ` (${q.answer.note})` : ""), "by"), list];
    }
    if (q.ended) {
      const why = q.ended.error ? `: ${q.ended.error.code}, ${q.ended.error.message}` : "";
      return [element("p", `no answer, the run is ${q.ended.status}${why}`, "bad")];
    }
    if (q.growing && !q.review) return [element("p", q.growing.text, "answer growing")];
    if (q.review) return []; // It is in the review's box.
    return [element("p", q.runId ? "stored; working on it" : "sending", "by")];
  }

  // review is the box of an answer that waits for a person.
  review(q) {
    const box = element("div", undefined, "review");
    box.append(element("p", `This answer is ${Math.round(100 * q.review.answer.confidence)}% sure. May it be published?`, "by"),
      element("p", q.review.answer.answer, "answer"));
    for (const [name, approved] of [["Approve", true], ["Reject", false]]) {
      const button = element("button", name, name.toLowerCase());
      button.type = "button";
      button.disabled = q.decided !== undefined;
      button.onclick = () => this.decide(q, approved);
      box.append(button);
    }
    if (q.decided !== undefined) box.append(element("span", q.decided ? "approved" : "rejected", "by"));
    return box;
  }

  trace(q) {
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
    details.open = q.open === true;
    details.ontoggle = () => { q.open = details.open; };
    details.append(element("summary", "trace " + q.key), table);
    return details;
  }
}
