import { badRequest, InterruptedError, SessionLostError, TooLargeError } from "./errors.js";
/** Bounds of the pause before a refused request is sent again; the node may ask for more. */
const leastRetryMs = 20;
const mostRetryMs = 2_000;
/**
 * Every request of a client that is not answered, whatever socket it is sent
 * on. It keeps no more of them at the node than the node allows, and carries
 * them over to the next socket.
 */
export class Flight {
    ids = 0;
    orders = 0;
    session;
    counted = 0;
    sent = new Map();
    waiting = [];
    delayed = new Set();
    closed;
    /** The next request's number. */
    id() {
        return ++this.ids;
    }
    /** Whether nothing waits for an answer of the node. */
    idle() {
        return this.sent.size === 0;
    }
    /** Sends a request, now or when there is room, over as many sockets as it takes, and resolves with ok. */
    ask(message, signal) {
        return this.submit(message, false, signal);
    }
    /**
     * Sends a request in this session, once. now is called with ok before the
     * message behind it is looked at; the promise resolves after that.
     */
    askOnce(message, now) {
        return this.submit(message, true, undefined, now);
    }
    submit(message, bound, signal, now) {
        return new Promise((resolve, reject) => {
            if (signal?.aborted) {
                reject(new InterruptedError(signal.reason));
                return;
            }
            const id = this.id();
            const r = {
                id, bound, text: JSON.stringify({ ...message, id }), state: "waiting", order: ++this.orders,
                attempts: 0, last: undefined, timer: undefined,
                done: (ok, error) => {
                    signal?.removeEventListener("abort", abandon);
                    if (error) {
                        reject(error);
                        return;
                    }
                    now?.(ok);
                    resolve(ok);
                },
            };
            const abandon = () => this.abandon(r, new InterruptedError(signal.reason, r.last));
            const failure = this.closed ?? (bound && !this.session ? new SessionLostError() : undefined);
            if (failure) {
                this.finish(r, undefined, failure);
                return;
            }
            signal?.addEventListener("abort", abandon, { once: true });
            if (bound) {
                this.send(r);
            }
            else {
                this.waiting.push(r);
                this.pump();
            }
        });
    }
    /** Ends a request whose user gave up. What was sent keeps its place until the node answers: the node counts it. */
    abandon(r, error) {
        clearTimeout(r.timer);
        this.delayed.delete(r);
        this.waiting = this.waiting.filter((other) => other !== r);
        this.finish(r, undefined, error);
    }
    /** Takes the node's answer: an ok, or an error. */
    answered(id, ok, refused) {
        const r = this.sent.get(id);
        if (!r) {
            return;
        }
        this.sent.delete(id);
        if (!r.bound) {
            this.counted--;
        }
        if (refused?.retryable && !r.bound && r.state !== "finished") {
            r.last = refused;
            this.retryLater(r, refused.retryAfterMs);
        }
        else {
            this.finish(r, ok, refused);
        }
        this.pump();
    }
    retryLater(r, atLeastMs) {
        r.state = "delayed";
        r.attempts++;
        this.delayed.add(r);
        const bound = Math.min(leastRetryMs * 2 ** Math.min(r.attempts, 10), mostRetryMs);
        r.timer = setTimeout(() => {
            this.delayed.delete(r);
            this.putBack(r);
            this.pump();
        }, atLeastMs + Math.random() * bound);
    }
    /** Goes on over a new socket: what was sent and not answered is sent again, in its order. */
    attach(session) {
        this.session = session;
        this.counted = 0;
        this.pump();
    }
    /** Takes back what the socket will not answer any more. */
    detach() {
        this.session = undefined;
        const open = [...this.sent.values()];
        this.sent.clear();
        for (const r of open) {
            if (r.state === "finished")
                continue;
            if (r.bound)
                this.finish(r, undefined, new SessionLostError());
            else
                this.putBack(r);
        }
    }
    /** Ends every request, and those to come, with error. */
    close(error) {
        this.closed ??= error;
        const open = [...this.sent.values(), ...this.delayed, ...this.waiting];
        this.sent.clear();
        this.delayed.clear();
        this.waiting = [];
        for (const r of open) {
            clearTimeout(r.timer);
            this.finish(r, undefined, error);
        }
    }
    /** Puts requests that were sent before back where their order says. */
    putBack(r) {
        r.state = "waiting";
        let at = this.waiting.length;
        while (at > 0 && this.waiting[at - 1].order > r.order)
            at--;
        this.waiting.splice(at, 0, r);
    }
    /** Sends what there is room for. */
    pump() {
        while (this.session && this.counted < this.session.maxInFlight && this.waiting.length > 0) {
            const r = this.waiting.shift();
            const limit = this.session.maxMessageBytes;
            // A character takes three bytes of UTF-8 at most: counting is for large ones.
            const size = r.text.length * 3 <= limit ? 0 : new TextEncoder().encode(r.text).length;
            if (size > limit) {
                this.finish(r, undefined, new TooLargeError(413, "too_large", `the message has ${size} bytes, the node takes ${limit}`));
            }
            else {
                this.send(r);
            }
        }
    }
    send(r) {
        r.state = "sent";
        this.sent.set(r.id, r);
        if (!r.bound) {
            this.counted++;
        }
        this.session.send(r.text);
    }
    finish(r, ok, error) {
        if (r.state !== "finished") {
            r.state = "finished";
            r.done(ok, error);
        }
    }
}
/** Room for so many at a time; the others wait their turn. */
export class Room {
    free;
    queue = [];
    constructor(free) {
        this.free = free;
        if (!(free >= 1)) {
            throw badRequest("there must be room for one at least");
        }
    }
    enter() {
        if (this.free > 0) {
            this.free--;
            return;
        }
        return new Promise((resolve) => this.queue.push(resolve));
    }
    leave() {
        const next = this.queue.shift();
        if (next)
            next();
        else
            this.free++;
    }
}
