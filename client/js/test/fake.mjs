// A node that a test plays: the client's sockets are given to it instead of a network.
import assert from "node:assert/strict";
import { connect } from "../dist/index.js";

/** The sockets that were opened, for tests to answer. */
export class FakeNode {
  sockets = [];
  waiting = [];

  constructor() {
    const node = this;
    /** What the client takes for a WebSocket. */
    this.WebSocket = class {
      constructor(url) {
        this.url = url;
        this.heard = [];
        node.sockets.push(this);
        queueMicrotask(() => this.onopen?.({}));
        for (const resolve of node.waiting.splice(0)) resolve();
      }
      send(frame) {
        this.heard.push(...frame.split("\n").map((line) => JSON.parse(line)));
        this.wake?.();
      }
      close(code = 1000) {
        this.closed = code;
      }
      /** What the node says. */
      say(...messages) {
        this.onmessage?.({ data: messages.map((m) => JSON.stringify(m)).join("\n") });
      }
      /** The node, or the network, ends the connection. */
      end(code = 1006, reason = "") {
        this.onclose?.({ code, reason });
      }
      /** The next message of this type that the client says. */
      async expect(type) {
        for (;;) {
          const at = this.heard.findIndex((m) => m.type === type);
          if (at >= 0) return this.heard.splice(at, 1)[0];
          await new Promise((resolve) => (this.wake = resolve));
        }
      }
      /** Welcomes the client, and returns its hello. */
      async welcome(fields = {}) {
        const hello = await this.expect("hello");
        this.say({ type: "welcome", session: "s", node: "n0", tenant: "default", epoch: "e1", seq: 0, limits: { max_in_flight: 64, window: 64 }, ...fields });
        return hello;
      }
    };
  }

  /** The next socket that the client opens. */
  async next() {
    while (this.sockets.length === 0) await new Promise((resolve) => this.waiting.push(resolve));
    return this.sockets.shift();
  }

  /** A client, and its first socket. */
  async connected(options = {}, welcome = {}) {
    const connecting = connect({ nodes: "http://a:1", WebSocket: this.WebSocket, store: null, minBackoffMs: 1, maxBackoffMs: 1, ...options });
    const socket = await this.next();
    const hello = await socket.welcome(welcome);
    return { client: await connecting, socket, hello };
  }
}

export const rejected = (promise) => promise.then(() => assert.fail("it did not fail"), (error) => error);
