import { Turns } from "./turns.js";
/** The streams of other clients that a backend listens to. */
export class Others {
    flight;
    ackDelayMs;
    turns = new Turns();
    session;
    closed;
    streams = new Set();
    named = new Map();
    constructor(flight, ackDelayMs) {
        this.flight = flight;
        this.ackDelayMs = ackDelayMs;
    }
    attach(session) {
        this.session = session;
        for (const stream of this.streams)
            stream.attach(session);
    }
    detach() {
        this.session = undefined;
        for (const stream of this.streams)
            stream.detach();
    }
    /** Sends the acknowledgements that wait, before a goodbye. */
    settle() {
        for (const stream of this.streams)
            stream.settle();
    }
    fail(error) {
        this.closed = error;
        for (const stream of this.streams)
            stream.fail(error);
    }
    /** Hands what a node sent to the stream that it is of; false where it is for none. */
    receive(m) {
        const stream = this.named.get(m.subscription);
        stream?.receive(m);
        return stream !== undefined;
    }
    begin(stream) {
        this.streams.add(stream);
        if (this.closed) {
            stream.fail(this.closed);
        }
        else if (this.session) {
            stream.attach(this.session);
        }
    }
    name(subscription, stream) {
        this.named.set(subscription, stream);
    }
    forget(subscription) {
        this.named.delete(subscription);
    }
    end(stream) {
        this.streams.delete(stream);
    }
}
