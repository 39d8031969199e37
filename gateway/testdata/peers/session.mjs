// A plain session with the gateway over any WebSocket that has the browser's interface:
// peers_test.go listens to what it publishes, and answers. Run with open(offer), which
// makes a socket, and what only this kind of socket can do.

export const words = "0123456789abcdef €uro 水𝄞 ";
export const protocol = "baton.v1.json";

// Peer turns the events of a socket into what can be waited for.
export class Peer {
  constructor(socket) {
    this.socket = socket;
    this.arrived = [];
    this.waiting = [];
    this.opened = new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", (event) => reject(new Error(event.message ?? "the socket failed")));
    });
    this.opened.catch(() => {});
    this.closed = new Promise((resolve) => socket.addEventListener("close", resolve));
    this.closed.then(() => this.waiting.forEach(({ reject }) => reject(new Error("closed"))));
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data);
      const next = this.waiting.shift();
      if (next) next.resolve(message);
      else this.arrived.push(message);
    });
  }

  next() {
    if (this.arrived.length > 0) return Promise.resolve(this.arrived.shift());
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  say(message) {
    this.socket.send(JSON.stringify(message));
  }

  async expect(fields) {
    const message = await this.next();
    for (const [name, want] of Object.entries(fields)) {
      same(message[name], want, `${name} of ${JSON.stringify(message)}`);
    }
    return message;
  }

  async expectClose(code) {
    const event = await this.closed;
    same(event.code, code, `the close code (${event.reason})`);
    same(event.wasClean, true, "whether the close was clean");
    return event;
  }
}

export function same(got, want, what) {
  if (got !== want) throw new Error(`${what} is ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

export async function session(open, { fragmented, probe }) {
  const greeted = async () => {
    const peer = new Peer(open(protocol));
    await peer.opened;
    same(peer.socket.protocol, protocol, "the subprotocol");
    same(peer.socket.extensions, "", "the extensions");
    peer.say({ type: "hello", client_id: "peer" });
    await peer.expect({ type: "welcome", client_id: "peer", protocol });
    return peer;
  };
  const published = async (peer, id, channel, data = null) => {
    peer.say({ type: "publish", id, channel, data });
    await peer.expect({ type: "ok", id });
  };

  let peer = await greeted();
  peer.say({ type: "ping", time: 5 });
  await peer.expect({ type: "pong", time: 5 });
  await published(peer, 1, "big", words.repeat(25000));
  if (fragmented) {
    await fragmented(peer, JSON.stringify({ type: "publish", id: 2, channel: "fragmented", data: words.repeat(25000) }));
    await peer.expect({ type: "ok", id: 2 });
  }
  if (probe) await probe(peer);
  // The gateway probes a peer that says nothing, and tells when it has had pongs.
  await published(peer, 3, "silence");
  await peer.expect({ type: "notify", name: "heard" });
  peer.socket.close(4900, "that is all");
  await peer.expectClose(4900);

  peer = await greeted();
  peer.say({ type: "publish", id: 4, channel: "stop", data: null });
  const stopped = await peer.expectClose(4000);
  same(stopped.reason, "shutdown: as a test wishes", "the reason");

  peer = await greeted(); // 4000 says to come again.
  peer.socket.send("no JSON");
  await peer.expect({ type: "error", code: 400 });
  await peer.expectClose(4501);

  peer = await greeted();
  peer.socket.send(new Uint8Array([1, 2, 3]));
  await peer.expectClose(4501);

  peer = await greeted();
  peer.socket.send(" ".repeat((1 << 20) + 1));
  await peer.expectClose(4505);

  peer = new Peer(open("mqtt"));
  await peer.expectClose(4506);

  peer = await greeted();
  await published(peer, 5, "done");
  peer.socket.close();
  // Without a code of ours: what a socket says then is 1005, or what it sent for it.
  await peer.expectClose(1005);
}
