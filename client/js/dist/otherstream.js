import { sleep } from "./backoff.js";
import { badRequest, BatonError, SessionLostError } from "./errors.js";
import { ackShare, notificationOf } from "./stream.js";
const defaultWindow = 16;
const mostIdBytes = 255;
/** How long to wait before a listen that was refused for now is asked for again. */
const leastRetryMs = 20;
export function checkListenFor(clientId, o) {
    if (typeof clientId !== "string" || clientId === "" || bytes(clientId) > mostIdBytes) {
        throw badRequest(`a client id has 1 to ${mostIdBytes} bytes`);
    }
    if (bytes(o.deviceId ?? "") > mostIdBytes) {
        throw badRequest(`a device id has at most ${mostIdBytes} bytes`);
    }
    if (o.window !== undefined && !(Number.isInteger(o.window) && o.window >= 1)) {
        throw badRequest("window must be a whole number from 1");
    }
}
function bytes(text) {
    return new TextEncoder().encode(text).length;
}
/**
 * One listenFor: its subscription in the current session, and what came in it.
 * As with the client's own stream, the queue is of the current socket: the next
 * one begins again behind the last notification that was handled.
 */
export class OtherStream {
    link;
    clientId;
    o;
    session;
    /** Undefined until the listen is answered. */
    subscription;
    epoch = "";
    items = [];
    left = false;
    failure;
    wake;
    /** Everything up to its seq is handled. */
    position;
    acked;
    /** Acknowledgements that the node was not told of. */
    unsaid = 0;
    timer;
    constructor(link, clientId, o) {
        this.link = link;
        this.clientId = clientId;
        this.o = o;
    }
    listen() {
        this.link.begin(this);
    }
    /** Listens in a session, when it is this one's turn. */
    attach(session) {
        this.detach();
        this.session = session;
        this.link.turns.enter(session, () => this.ask(session));
    }
    /** The subscription ended with its socket; what waited comes again over the next. */
    detach() {
        this.forget();
        this.session = undefined;
        this.items = [];
    }
    fail(error) {
        this.failure ??= error;
        this.signal();
    }
    /** Queues what the node sent. */
    receive(m) {
        const session = this.session;
        if (!session) {
            return;
        }
        if (this.items.length > 2 * Math.max(this.o.window ?? defaultWindow, session.window) + 64) {
            session.end(new Error(`${session.url} sends more notifications than the window allows`));
            return;
        }
        const epoch = this.epoch;
        switch (m.type) {
            case "notify":
                this.items.push({ session, epoch, seq: m.seq, notification: notificationOf(m, () => this.ack(epoch, m.seq)) });
                break;
            case "gap":
                this.items.push({ session, epoch, seq: m.to, gap: { from: m.from, to: m.to, reason: m.reason } });
                break;
            default:
                this.items.push({ session, epoch, seq: m.seq });
        }
        this.signal();
    }
    /** It stays in the queue until done. */
    async next(quit) {
        for (;;) {
            while (this.items[0] && this.handled(this.items[0])) {
                this.items.shift();
            }
            if (quit.aborted) {
                return undefined;
            }
            if (this.failure) {
                throw this.failure;
            }
            if (this.items[0]) {
                return this.items[0];
            }
            await new Promise((resolve) => (this.wake = resolve));
        }
    }
    done(item) {
        if (this.items[0] === item) {
            this.items.shift();
        }
        if (item.gap?.reason === "epoch") {
            return; // The numbers begin anew; what the gap names is of the old ones.
        }
        if (this.position?.epoch !== item.epoch) {
            this.position = { epoch: item.epoch, seq: item.seq };
        }
        else {
            this.position.seq = Math.max(this.position.seq, item.seq);
        }
    }
    /** Acknowledges everything up to seq of the epoch. */
    ack(epoch, seq) {
        if (this.left || (this.position && this.position.epoch !== epoch)) {
            return; // Of a stream that is no more.
        }
        this.acked = { epoch, seq: this.acked?.epoch === epoch ? Math.max(this.acked.seq, seq) : seq };
        this.unsaid++;
        if (this.unsaid >= (this.o.window ?? defaultWindow) / ackShare) {
            this.sayAck();
        }
        else {
            this.timer ??= setTimeout(() => this.sayAck(), this.link.ackDelayMs);
        }
    }
    /** Sends what waits, before a goodbye. */
    settle() {
        if (this.unsaid > 0) {
            this.sayAck();
        }
    }
    /** Ends the subscription, after the last acknowledgement. */
    leave() {
        this.settle();
        this.left = true;
        this.items = [];
        this.unlisten();
        this.link.end(this);
    }
    /** Has next look again. */
    signal() {
        this.wake?.();
        this.wake = undefined;
    }
    /** Asks for what comes behind the last notification that was handled, until that is answered for good. */
    async ask(session) {
        const { deviceId, window, resume } = this.o;
        while (this.session === session && !this.left && !this.failure) {
            try {
                await this.link.flight.askOnce({ type: "listen", client_id: this.clientId, device_id: deviceId, window, resume: this.position ?? resume }, (ok) => this.began(ok));
                return;
            }
            catch (error) {
                if (error instanceof BatonError && error.retryable) {
                    await sleep(Math.max(error.retryAfterMs, leastRetryMs));
                }
                else if (error instanceof SessionLostError) {
                    return; // Another session will come, or none.
                }
                else {
                    this.fail(error);
                }
            }
        }
    }
    /** Takes note of the subscription, before what it brings is looked at. */
    began(ok) {
        this.subscription = ok.subscription;
        this.epoch = ok.epoch;
        if (this.left) {
            this.unlisten();
            return;
        }
        this.link.name(this.subscription, this);
        if (this.o.resume === "live") {
            // What comes after this moment counts, on the next socket too.
            this.position ??= { epoch: ok.epoch, seq: ok.seq };
        }
        this.sayAck();
    }
    /** Sends the acknowledgement that waits for others; while there is no subscription, the next one begins with it. */
    sayAck() {
        clearTimeout(this.timer);
        this.timer = undefined;
        this.unsaid = 0;
        if (this.subscription !== undefined && this.acked?.epoch === this.epoch) {
            this.session?.send({ type: "ack", subscription: this.subscription, seq: this.acked.seq });
        }
    }
    unlisten() {
        const subscription = this.subscription;
        if (subscription !== undefined) {
            this.forget();
            // The answer is of no interest.
            this.link.flight.askOnce({ type: "unlisten", subscription }).catch(() => { });
        }
    }
    forget() {
        if (this.subscription !== undefined) {
            this.link.forget(this.subscription);
            this.subscription = undefined;
        }
    }
    /** Whether a notification came before, over another socket. */
    handled(item) {
        const p = this.position;
        return item.notification !== undefined && p?.epoch === item.epoch && item.seq <= p.seq;
    }
}
