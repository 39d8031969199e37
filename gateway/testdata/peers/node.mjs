// The session with the library ws of Node: node node.mjs ws://…/ws
import { WebSocket } from "ws";
import { same, session } from "./session.mjs";

await session((offer) => new WebSocket(process.argv[2], [offer]), {
  fragmented: async (peer, text) => {
    const size = 1300;
    for (let at = 0; at < text.length; at += size) {
      peer.socket.send(text.slice(at, at + size), { fin: at + size >= text.length, binary: false });
    }
  },
  probe: async (peer) => {
    const answer = new Promise((resolve) => peer.socket.once("pong", resolve));
    peer.socket.ping("are you there?");
    same(String(await answer), "are you there?", "the pong");
    peer.socket.pong("nobody asked");
  },
});
