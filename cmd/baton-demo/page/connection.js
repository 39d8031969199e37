// A client of Baton in plain JavaScript: one WebSocket to any of the nodes,
// baton.v1.json. See docs/protocol.md.
"use strict";

class Connection {
  // on: {welcome(message), notify(message), gap(message), chunk(message), state(text, good)}
  constructor(nodes, clientId, on) {
    this.nodes = nodes;
    this.clientId = clientId;
    this.on = on;
    this.at = Math.floor(Math.random() * nodes.length);
    this.next = 1;
    this.waiting = new Map(); // request number -> {message, done}
    this.failures = 0;
    this.connect();
  }

  connect() {
    const url = this.nodes[this.at++ % this.nodes.length].replace(/^http/, "ws") + "/ws";
    this.on.state("connecting to " + url, false);
    const socket = new WebSocket(url, "baton.v1.json");
    this.socket = socket;
    this.welcomed = false;
    // A node that takes the connection and then says nothing is left too.
    const patience = setTimeout(() => { if (!this.welcomed) socket.close(); }, 5000);
    socket.onopen = () => this.send({ type: "hello", client_id: this.clientId, name: this.clientId });
    socket.onmessage = (event) => {
      for (const line of event.data.split("\n")) if (line) this.receive(JSON.parse(line));
    };
    socket.onclose = (event) => {
      clearTimeout(patience);
      if (event.code >= 4500 && event.code <= 4999) {
        this.on.state("refused: " + event.reason + " (" + event.code + ")", false);
        return;
      }
      this.on.state("disconnected, trying another node", false);
      const most = Math.min(3000, 100 * 2 ** this.failures++);
      setTimeout(() => this.connect(), Math.random() * most);
    };
  }

  send(message) { this.socket.send(JSON.stringify(message)); }

  // publish resolves with ok. It is sent again on every new connection until it
  // is answered; the idempotency key makes that safe.
  publish(fields) {
    return new Promise((resolve, reject) => {
      const message = { type: "publish", id: this.next++, ...fields };
      this.waiting.set(message.id, { message, resolve, reject });
      if (this.welcomed) this.send(message);
    });
  }

  ack(seq) { if (this.welcomed) this.send({ type: "ack", seq }); }

  receive(message) {
    switch (message.type) {
      case "welcome":
        this.welcomed = true;
        this.failures = 0;
        for (const url of message.nodes || []) {
          const plain = url.replace(/^ws/, "http").replace(/\/ws$/, "");
          if (!this.nodes.includes(plain)) this.nodes.push(plain);
        }
        this.on.state("connected to " + message.node, true);
        this.on.welcome(message);
        for (const { message: again } of this.waiting.values()) this.send(again);
        break;
      case "ok":
        this.settle(message.id, (w) => w.resolve(message));
        break;
      case "error":
        if (!this.waiting.has(message.id)) { console.warn(message); break; }
        if (message.retryable) {
          const { message: again } = this.waiting.get(message.id);
          setTimeout(() => { if (this.welcomed && this.waiting.has(again.id)) this.send(again); }, message.retry_after_ms || 500);
        } else {
          this.settle(message.id, (w) => w.reject(new Error(message.message)));
        }
        break;
      case "notify": this.on.notify(message); break;
      case "gap": this.on.gap(message); break;
      case "chunk": case "reset": this.on.chunk(message); break;
      case "ping": this.send({ type: "pong", time: message.time }); break;
    }
  }

  settle(id, how) {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (waiting) how(waiting);
  }
}
