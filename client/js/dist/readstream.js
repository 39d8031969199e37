import { BatonError, SessionLostError } from "./errors.js";
import { payloadOf } from "./payload.js";
/** How much of a stream waits for its reader; beyond it the rest is asked for again when that has come so far. */
const mostUnread = 1 << 20;
/** How long to wait before a read that was refused for now is asked for again. */
const leastRetryMs = 20;
/** One readStream: where it stands, over all sockets. */
export class StreamReader {
    flight;
    stream;
    o;
    dismiss;
    session;
    /** The session answered, and not too much waits. */
    reading = false;
    over = false;
    items = [];
    unread = 0;
    attempt;
    next;
    failure;
    wake;
    constructor(flight, stream, o, dismiss) {
        this.flight = flight;
        this.stream = stream;
        this.o = o;
        this.dismiss = dismiss;
        this.attempt = o.from?.attempt ?? 0;
        this.next = o.from?.offset ?? 0;
    }
    /** Reads in a session. */
    attach(session) {
        this.session = session;
        this.over = false;
        void this.ask(session);
    }
    /** Queues a chunk as far as it is new, or a reset. */
    receive(m) {
        if (m.stream !== this.stream || !this.reading || this.over) {
            return;
        }
        if (m.type === "reset") {
            this.attempt = m.attempt;
            this.next = 0;
            this.add(m, 0, "", true);
            return;
        }
        const given = payloadOf(m) ?? "";
        const text = typeof given === "string";
        let bytes = text ? new TextEncoder().encode(given) : given;
        const reset = (this.attempt !== 0 && m.attempt !== this.attempt) || m.offset > this.next;
        let offset = m.offset;
        if (!reset) {
            const skip = Math.min(this.next - Math.min(offset, this.next), bytes.length);
            if (offset + skip < this.next && !m.final) {
                return; // It came before.
            }
            bytes = bytes.subarray(skip);
            offset += skip;
        }
        if (bytes.length === 0 && !m.final && !reset) {
            return;
        }
        this.attempt = m.attempt;
        this.next = offset + bytes.length;
        this.add(m, offset, text ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) : bytes, reset, bytes.length);
    }
    fail(error) {
        this.failure ??= error;
        this.look();
    }
    /** The chunks, up to the final one. */
    async *chunks(begin) {
        const look = () => this.look();
        this.o.signal?.addEventListener("abort", look);
        begin();
        try {
            for (;;) {
                const chunk = await this.take();
                if (!chunk) {
                    return;
                }
                yield chunk;
                if (chunk.final) {
                    return;
                }
            }
        }
        finally {
            this.o.signal?.removeEventListener("abort", look);
            this.dismiss(this);
        }
    }
    add(m, offset, data, reset, size = 0) {
        this.items.push({
            stream: this.stream, correlationId: m.correlation_id ?? "", attempt: this.attempt, offset, data,
            position: { attempt: this.attempt, offset: this.next }, reset, final: m.final === true,
        });
        this.unread += size;
        this.over = this.unread > mostUnread;
        this.look();
    }
    async take() {
        for (;;) {
            if (this.o.signal?.aborted) {
                return undefined;
            }
            const chunk = this.items.shift();
            if (chunk) {
                this.unread -= chunk.position.offset - chunk.offset;
                return chunk;
            }
            if (this.failure) {
                throw this.failure;
            }
            if (this.over && this.session) {
                this.over = false;
                this.unread = 0;
                void this.ask(this.session);
            }
            await new Promise((resolve) => (this.wake = resolve));
        }
    }
    /** Asks for what follows what came. */
    async ask(session) {
        this.reading = false;
        try {
            await this.flight.askOnce({ type: "read", stream: this.stream, attempt: this.attempt || undefined, offset: this.next }, () => {
                this.reading ||= this.session === session;
            });
        }
        catch (error) {
            if (error instanceof BatonError && error.retryable) {
                setTimeout(() => {
                    if (this.session === session && !this.failure)
                        void this.ask(session);
                }, Math.max(error.retryAfterMs, leastRetryMs));
            }
            else if (!(error instanceof SessionLostError)) {
                this.fail(error);
            }
        }
    }
    look() {
        this.wake?.();
        this.wake = undefined;
    }
}
