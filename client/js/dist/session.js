import { errorOf, RejectedError } from "./errors.js";
/** A bye came instead of welcome: the node has no place, and says when to come back. */
export class TurnedAway extends Error {
    bye;
    cause;
    constructor(bye, cause) {
        super(`the node has no place (${bye.reason}): ${cause.message}`);
        this.bye = bye;
        this.cause = cause;
    }
}
/** How long a node may take to say welcome: it may have to wait for the leader of the client's stream. */
const helloTimeoutMs = 20_000;
/** How long a node may take to close the socket after our bye. */
const closeTimeoutMs = 2_000;
/** How many characters of messages share a frame; a larger message has one of its own. */
const frameTarget = 16_000;
/** How much may wait in the socket for what is best effort to be sent at all. */
const maxOfferBacklog = 1 << 20;
/** Bounds how long a bye may keep a client away. */
const maxByePauseMs = 60_000;
/** A socket that cannot be made at all, as an insecure one in a secure page, can never be. */
function socketOf(url, o) {
    try {
        return new o.WebSocket(url, ["baton.v1.json"]);
    }
    catch (error) {
        throw new RejectedError(0, `${url}: ${String(error)}`);
    }
}
/** One socket, from hello to its end. */
export class Session {
    url;
    socket;
    /** Counts a client's sessions. */
    number = 0;
    bye;
    /** How many messages came so far: grows while the node lives. */
    heard = 0;
    /** Resolves with why the socket is of no use any more. */
    ended;
    welcomed;
    handle;
    early = [];
    refusal;
    outgoing = [];
    flushing = false;
    over = false;
    resolveEnded;
    constructor(url, socket) {
        this.url = url;
        this.socket = socket;
        this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
    }
    /** Connects to a node, says hello and waits for its welcome. */
    static async open(url, hello, o, signal) {
        const s = new Session(url, socketOf(url, o));
        let opened = false;
        const stop = () => s.end(new Error("connecting was interrupted", { cause: signal?.reason }));
        signal?.addEventListener("abort", stop, { once: true });
        let timer = setTimeout(() => s.end(new Error(`${url} does not answer`)), o.connectTimeoutMs);
        const welcomed = new Promise((resolve) => {
            s.handle = (m) => {
                if (m.type === "welcome") {
                    s.welcomed = m;
                    s.handle = undefined; // What follows waits for start.
                    resolve();
                }
                else if (m.type === "error") {
                    s.refusal = errorOf(m);
                }
            };
        });
        s.socket.onopen = () => {
            opened = true;
            clearTimeout(timer);
            timer = setTimeout(() => s.end(new Error(`${url} says no welcome`)), helloTimeoutMs);
            s.send(hello);
        };
        s.listen(() => opened);
        if (signal?.aborted) {
            stop();
        }
        try {
            const failure = await Promise.race([welcomed, s.ended]);
            if (failure) {
                if (failure instanceof RejectedError) {
                    throw failure;
                }
                if (s.bye && !s.bye.reconnect) {
                    throw new RejectedError(0, s.bye.reason, s.refusal);
                }
                throw s.bye ? new TurnedAway(s.bye, s.refusal ?? failure) : s.refusal ?? failure;
            }
            return s;
        }
        finally {
            clearTimeout(timer);
            signal?.removeEventListener("abort", stop);
        }
    }
    get node() {
        return this.welcomed?.node ?? "";
    }
    get nodes() {
        return this.welcomed?.nodes ?? [];
    }
    get epoch() {
        return this.welcomed?.epoch ?? "";
    }
    get seq() {
        return this.welcomed?.seq ?? 0;
    }
    get maxInFlight() {
        return this.welcomed?.limits?.max_in_flight || 64;
    }
    get maxMessageBytes() {
        return this.welcomed?.limits?.max_message_bytes || 1 << 20;
    }
    /** For how long the token is good; 0 for ever. */
    get tokenExpiresMs() {
        return this.welcomed?.token_expires_ms ?? 0;
    }
    get window() {
        return this.welcomed?.limits?.window || 64;
    }
    /** Hands over what came since the welcome, and everything from now on. */
    start(handle) {
        this.handle = handle;
        for (const m of this.early.splice(0)) {
            handle(m);
        }
    }
    /** Queues a message. What is queued in one turn of the event loop shares frames. */
    send(message) {
        if (this.over) {
            return;
        }
        this.outgoing.push(typeof message === "string" ? message : JSON.stringify(message));
        if (!this.flushing) {
            this.flushing = true;
            queueMicrotask(() => this.flush());
        }
    }
    /** Queues what may be lost, unless the socket is so far behind that it is better lost. */
    offer(message) {
        if ((this.socket.bufferedAmount ?? 0) <= maxOfferBacklog) {
            this.send(message);
        }
    }
    /** Says goodbye, and waits for the node to close. */
    async part() {
        this.send({ type: "bye" });
        this.flush();
        const timer = setTimeout(() => this.end(new Error("closed")), closeTimeoutMs);
        await this.ended;
        clearTimeout(timer);
    }
    /** Makes the session unusable. The first reason counts. A socket that hangs is not waited for. */
    end(reason) {
        if (this.over) {
            return;
        }
        this.over = true;
        this.outgoing = [];
        const socket = this.socket;
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.onerror = () => { }; // Package ws throws what nobody listens to.
        try {
            socket.close();
        }
        catch {
            // It was never open.
        }
        this.resolveEnded(reason);
    }
    listen(opened) {
        this.socket.onmessage = (event) => this.receive(event.data);
        this.socket.onerror = () => { }; // A close follows, and says more.
        this.socket.onclose = (event) => {
            const code = event.code ?? 1006;
            const reason = event.reason || (opened() ? "the connection was lost" : "the node cannot be reached");
            if (code >= 4500 && code <= 4999) {
                this.end(new RejectedError(code, reason, this.refusal));
            }
            else {
                this.end(new Error(`${this.url}: ${reason} (${code})`));
            }
        };
    }
    receive(text) {
        this.heard++;
        let messages;
        try {
            messages = String(text).split("\n").filter(Boolean).map((line) => JSON.parse(line));
        }
        catch {
            this.end(new Error(`${this.url} sent what is no message`));
            return;
        }
        for (const m of messages) {
            if (m.type === "ping") {
                this.send({ type: "pong", time: m.time });
            }
            else if (m.type === "bye") {
                this.bye = { reason: m.reason, reconnect: m.reconnect, afterMs: Math.min(m.after_ms ?? 0, maxByePauseMs) };
            }
            if (this.handle) {
                this.handle(m);
            }
            else {
                this.early.push(m);
            }
        }
    }
    flush() {
        this.flushing = false;
        const messages = this.outgoing;
        this.outgoing = [];
        let frame = "";
        for (const m of messages) {
            if (frame && frame.length + m.length > frameTarget) {
                this.socket.send(frame);
                frame = "";
            }
            frame += frame ? "\n" + m : m;
        }
        if (frame && !this.over) {
            this.socket.send(frame);
        }
    }
}
