import { BatonError, ClosedError, SessionLostError } from "./errors.js";
import { checkName } from "./event.js";
import { payloadOf } from "./payload.js";
/**
 * How many events may wait for who follows: the socket is read all the while.
 * Beyond it the follower leaves the channel, and comes back behind the last one
 * once it has handled them.
 */
const mostWaiting = 4096;
/** How long to wait before a follow that was refused for now is asked for again. */
const leastRetryMs = 20;
/** One follow: its subscription on the current session, and where it stands. */
export class Follower {
    flight;
    channel;
    o;
    dismiss;
    session;
    subscription;
    items = [];
    /** Because too many waited. */
    left = false;
    /** Of the last event that is queued or handled, and of the last one that is handled. */
    queued;
    cursor;
    failure;
    wake;
    constructor(flight, channel, o, dismiss) {
        this.flight = flight;
        this.channel = channel;
        this.o = o;
        this.dismiss = dismiss;
        checkName("channel", channel);
    }
    attach(session) {
        this.session = session;
        this.subscription = undefined;
        this.items = []; // Of the old socket; they come again behind the last one handled.
        this.queued = this.cursor;
        void this.subscribe(session);
    }
    receive(m) {
        if (m.subscription === this.subscription && this.subscription !== undefined) {
            this.items.push(m);
            this.queued = m.cursor ?? this.queued;
            this.look();
            if (this.items.length >= mostWaiting) {
                this.left = true;
                void this.unsubscribe();
            }
        }
    }
    fail(error) {
        this.failure ??= error;
        this.look();
    }
    /** The events; one is handled when the next one is asked for. */
    async *events(begin) {
        const look = () => this.look();
        this.o.signal?.addEventListener("abort", look);
        begin();
        try {
            for (;;) {
                const m = await this.next();
                if (!m) {
                    return;
                }
                if (m.type === "gap") {
                    this.o.onGap?.({ reason: m.reason });
                }
                else {
                    yield eventOf(m);
                    this.handled(m);
                }
            }
        }
        finally {
            this.o.signal?.removeEventListener("abort", look);
            this.dismiss(this);
            // The answer says that the commits are kept.
            await this.unsubscribe();
        }
    }
    async next() {
        for (;;) {
            if (this.o.signal?.aborted || this.failure instanceof ClosedError) {
                return undefined;
            }
            if (this.failure) {
                throw this.failure;
            }
            const m = this.items.shift();
            if (m) {
                return m;
            }
            if (this.left && this.session) {
                this.left = false;
                void this.subscribe(this.session);
            }
            await new Promise((resolve) => (this.wake = resolve));
        }
    }
    handled(m) {
        this.cursor = m.cursor;
        if (this.o.name && m.subscription === this.subscription) {
            this.session?.send({ type: "commit", subscription: m.subscription, cursor: m.cursor });
        }
    }
    /** Where the next session is to begin: behind what was handled, else where the first one began. */
    from() {
        const from = this.queued === undefined ? this.o.from : { cursor: this.queued };
        return typeof from === "object" && "time" in from ? { time: Math.floor(Number(from.time)) } : from;
    }
    async subscribe(session) {
        try {
            await this.flight.askOnce({ type: "follow", channel: this.channel, from: this.from(), name: this.o.name, window: this.o.window }, (ok) => {
                if (this.session === session) {
                    this.subscription = ok.subscription;
                    // What is stored after this moment counts, on the next socket too.
                    this.cursor ??= ok.cursor;
                    this.queued ??= ok.cursor;
                }
            });
        }
        catch (error) {
            if (error instanceof BatonError && error.retryable) {
                setTimeout(() => {
                    if (this.session === session && !this.failure)
                        void this.subscribe(session);
                }, Math.max(error.retryAfterMs, leastRetryMs));
            }
            else if (!(error instanceof SessionLostError)) {
                this.fail(error);
            }
        }
    }
    async unsubscribe() {
        const subscription = this.subscription;
        this.subscription = undefined;
        if (subscription !== undefined) {
            await this.flight.askOnce({ type: "unsubscribe", subscription }).catch(() => { });
        }
    }
    look() {
        this.wake?.();
        this.wake = undefined;
    }
}
function eventOf(m) {
    return {
        cursor: m.cursor, eventId: m.event_id, clientId: m.client_id ?? "", tenant: m.tenant ?? "", time: new Date(m.time),
        channel: m.channel, key: m.key ?? "", idempotencyKey: m.idempotency_key ?? "", correlationId: m.correlation_id,
        causationId: m.causation_id, headers: m.headers ?? {}, contentType: m.content_type ?? "", data: payloadOf(m),
    };
}
