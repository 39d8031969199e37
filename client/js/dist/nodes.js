/**
 * The places a client may connect to: those it was given, and those the cluster
 * told it of.
 */
export class Nodes {
    given = [];
    learned = [];
    next = 0;
    constructor(nodes, inOrder) {
        for (const text of listed(nodes)) {
            const url = socketUrl(text);
            if (!this.given.includes(url)) {
                this.given.push(url);
            }
        }
        if (this.given.length === 0) {
            throw new TypeError("nodes must name a node, like http://127.0.0.1:7700");
        }
        if (!inOrder) {
            this.next = Math.floor(Math.random() * this.given.length);
        }
    }
    /** The URLs in the order they are tried. */
    all() {
        return [...this.given, ...this.learned];
    }
    /** The node whose turn it is. */
    current() {
        const all = this.all();
        return all[this.next % all.length];
    }
    /** Passes the turn on. */
    advance() {
        this.next++;
    }
    /** Replaces what the cluster said of its nodes before, and keeps the turn where it is. */
    learn(told) {
        if (!told?.length) {
            return;
        }
        const at = this.current();
        this.learned = [];
        for (const text of told) {
            const url = tried(() => socketUrl(text));
            if (url !== undefined && !this.given.includes(url) && !this.learned.includes(url)) {
                this.learned.push(url);
            }
        }
        this.next = Math.max(this.all().indexOf(at), 0);
    }
}
function listed(nodes) {
    return typeof nodes === "string" ? nodes.split(",") : nodes;
}
/** The addresses of nodes for HTTP, without a slash at the end. */
export function webUrls(nodes) {
    return listed(nodes).map((text) => socketUrl(text).replace(/^ws/, "http").replace(/\/ws$/, ""));
}
const schemes = { "http:": "ws:", "ws:": "ws:", "https:": "wss:", "wss:": "wss:" };
/** The WebSocket URL of a node; a bare host:port means http. */
export function socketUrl(text) {
    const trimmed = text.trim();
    const parsed = tried(() => new URL(trimmed.includes("://") ? trimmed : `http://${trimmed}`));
    const scheme = parsed && schemes[parsed.protocol];
    if (!parsed || !scheme || !parsed.host) {
        throw new TypeError(`node ${JSON.stringify(text)} must look like http://127.0.0.1:7700`);
    }
    const path = parsed.pathname.replace(/\/$/, "").replace(/\/ws$/, "");
    return `${scheme}//${parsed.host}${path}/ws`;
}
function tried(make) {
    try {
        return make();
    }
    catch {
        return undefined;
    }
}
