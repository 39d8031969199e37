import { broadcastMessage, broadcastReceipt } from "./broadcast.js";
import { ClosedError, errorOf } from "./errors.js";
import { eventFields } from "./event.js";
import { Flight, Room } from "./flight.js";
import { Follower } from "./follow.js";
import { completeFields, failFields } from "./lease.js";
import { Link } from "./link.js";
import { Listener, notifications } from "./listen.js";
import { settingsOf } from "./options.js";
import { checkListenFor, OtherStream } from "./otherstream.js";
import { Others } from "./others.js";
import { presenceOf } from "./presence.js";
import { StreamReader } from "./readstream.js";
import { Refresh, tokenOf } from "./refresh.js";
import { awaitRun, controlRun, listRuns, sendMessage, showRun, startRun, } from "./runs.js";
import { Stream } from "./stream.js";
import { Worker } from "./worker.js";
/** What the client calls itself in hello. */
export const version = "0.1";
/**
 * Connects to one of the nodes, and resolves once it has said welcome. From then
 * on the client reconnects for ever, to any node it was given or has learned of,
 * until close, or until a node refuses it for good. Rejects with RejectedError
 * when a node refuses for good, and with ConnectError when none could be reached
 * before signal or connectAttempts ended.
 */
export async function connect(options) {
    const client = new Client(settingsOf(options));
    await client.open(options.signal);
    return client;
}
/** A connection to a cluster that outlives its sockets. */
export class Client {
    o;
    /** Resolves when the client is of no use any more, with why: ClosedError or RejectedError. */
    done;
    flight = new Flight();
    stream;
    room;
    refresh;
    link;
    life = new AbortController();
    followers = new Set();
    workers = new Set();
    readers = new Set();
    others;
    prefix;
    keys = 0;
    sessions = 0;
    session;
    closed;
    served = Promise.resolve();
    resolveDone;
    /** @internal */
    constructor(o) {
        this.o = o;
        this.done = new Promise((resolve) => (this.resolveDone = resolve));
        this.stream = o.clientId ? new Stream(o) : undefined;
        this.room = new Room(o.maxPending);
        this.refresh = new Refresh(this.flight, o.token, o.logger);
        this.others = new Others(this.flight, o.ackDelayMs);
        this.prefix = newPrefix();
        this.link = new Link({
            hello: () => this.hello(),
            attach: (s) => this.attach(s),
            detach: () => this.detach(),
            handle: (s, m) => this.handle(s, m),
            idle: () => this.flight.idle(),
            fail: (error) => this.fail(error),
        }, o);
    }
    /** @internal */
    async open(signal) {
        await this.stream?.restore();
        const first = await this.link.connect(this.o.connectAttempts, signal);
        this.served = this.link.run(first, this.life.signal);
    }
    /** The name of the node connected to, empty while there is none. */
    get node() {
        return this.session?.node ?? "";
    }
    /** Where the stream of notifications stands: what Options.resume takes. */
    get position() {
        return this.stream?.where();
    }
    /**
     * Stores an event, and resolves once it is replicated to a majority. It
     * survives lost sockets, elections and refusals that may pass, and goes on
     * until signal ends it: then the event may or may not be stored.
     */
    async publish(channel, data, options = {}) {
        const { signal, ...event } = options;
        const fields = eventFields(channel, data, { ...event, idempotencyKey: event.idempotencyKey ?? this.newKey() });
        await this.room.enter();
        try {
            const ok = await this.flight.ask({ type: "publish", ...fields }, signal);
            return { eventId: ok.event_id, correlationId: ok.correlation_id, offset: ok.offset, duplicate: ok.duplicate === true };
        }
        finally {
            this.room.leave();
        }
    }
    /** The notifications in order, each acknowledged when the next one is asked for. */
    notifications(options = {}) {
        return notifications(this.needStream(), options);
    }
    /** Calls handler for one notification after the other, and acknowledges each when the handler is done. */
    onNotification(handler, options = {}) {
        return new Listener(this.needStream(), handler, options);
    }
    /**
     * The notifications of another client, as notifications gives the client's own: a
     * backend with sockets of its own in front receives those of each of its users over
     * one connection. Each comes once in the life of one listenFor, through lost sockets
     * and nodes, and there may be as many at a time as the node allows. The listening
     * ends with the loop. It takes a token that may be any client.
     */
    listenFor(clientId, options = {}) {
        checkListenFor(clientId, options);
        return notifications(new OtherStream(this.others, clientId, options), options);
    }
    /**
     * Notifies several clients of the same, each once, and resolves when all of them have
     * it in their streams. It goes on until signal ends it: then some may have it, and the
     * same again, with its idempotencyKey, notifies the others. It takes a token of a
     * worker, of an administrator, or one that may be any client.
     */
    async broadcast(clientIds, name, data, options = {}) {
        const { signal, ...said } = options;
        const message = broadcastMessage(clientIds, name, data, { ...said, idempotencyKey: said.idempotencyKey ?? this.newKey() });
        return broadcastReceipt(await this.flight.ask(message, signal));
    }
    /**
     * Whether a client is connected, and how far each of its devices is, asked over HTTP.
     * NotFoundError says that nothing ever was for it and it is not connected.
     */
    clientPresence(clientId, options = {}) {
        return presenceOf(clientId, this.o, options.signal);
    }
    /**
     * Starts a run of a workflow, over HTTP as all that concerns runs. It is safe to repeat
     * with the same idempotencyKey: it is one run.
     */
    startRun(workflow, data, options = {}) {
        return startRun(this.o, workflow, data, options, this.newKey());
    }
    /** A run with what its steps did; NotFoundError where there is none, or it is another client's. */
    run(runId, options = {}) {
        return showRun(this.o, runId, false, options.signal);
    }
    /** A run when it has ended: its result, or its error, says how. */
    awaitRun(runId, options = {}) {
        return awaitRun(this.o, runId, options.signal);
    }
    /** A page of runs, the newest first: the client's own, or all of the tenant where the token may see them. */
    runs(filter = {}) {
        return listRuns(this.o, filter);
    }
    /** Cancels a run, and has it compensate what its workflow says. */
    async cancelRun(runId, request = {}) {
        await this.controlRun(runId, "cancel", request);
    }
    /** Asks something of a run, and gives its id; of a fork the new run's. */
    controlRun(runId, action, request = {}) {
        return controlRun(this.o, runId, action, request, this.newKey());
    }
    /** Sends a message to the run that waits for this name and key, or will while it is kept. */
    message(name, key, data, options = {}) {
        return sendMessage(this.o, name, key, data, options, this.newKey());
    }
    /** Does the jobs of a channel, until the worker is stopped. */
    work(channel, handler, options = {}) {
        const worker = new Worker({ flight: this.flight, logger: this.o.logger, maxMessageBytes: () => this.session?.maxMessageBytes ?? Infinity, dismiss: (w) => this.workers.delete(w) }, channel, handler, options);
        if (this.closed) {
            worker.fail(this.closed);
            return worker;
        }
        this.workers.add(worker);
        if (this.session) {
            worker.attach(this.session);
        }
        return worker;
    }
    /** Every event of a channel, whatever workers do with it. */
    follow(channel, options = {}) {
        const follower = new Follower(this.flight, channel, options, (f) => this.followers.delete(f));
        return follower.events(() => {
            this.followers.add(follower);
            this.begin(follower);
        });
    }
    /**
     * Reads a token stream, what a worker shows of its answer while it makes it: by the
     * eventId that publish returned, through lost sockets. It may begin before there is
     * anything, and ends behind the final chunk. It throws NotFoundError when the stream
     * is not kept any more.
     */
    readStream(stream, options = {}) {
        const reader = new StreamReader(this.flight, stream, options, (r) => this.readers.delete(r));
        return reader.chunks(() => {
            this.readers.add(reader);
            this.begin(reader);
        });
    }
    /**
     * Completes the job of a lease that is in force, mostly a parked one, from anywhere:
     * the lease is all that it takes. Resolves with the ids of what it emitted, null for
     * an event on its way to another partition. LeaseLostError means that somebody else
     * has ended the job, or nobody did in time; the same completion again is answered as
     * the first one was.
     */
    async completeLease(lease, done = {}) {
        const ok = await this.flight.ask(completeFields(lease, done), done.signal);
        return ok.events ?? [];
    }
    /** Fails the job of a lease as an error of its handler would: see JobError and PermanentError. */
    async failLease(lease, failure, options = {}) {
        await this.flight.ask(failFields(lease, failure), options.signal);
    }
    /** Stops an event: nobody is given it any more, and who works on it is told. A client with an id cancels its own only. */
    async cancelEvent(eventId, options = {}) {
        await this.flight.ask({ type: "cancel", event_id: eventId, reason: options.reason }, options.signal);
    }
    /** Stops every event of a correlation id, in all partitions, and what their jobs still emit. */
    async cancelLineage(correlationId, options = {}) {
        await this.flight.ask({ type: "cancel", correlation_id: correlationId, reason: options.reason }, options.signal);
    }
    /** Says goodbye and ends everything: what was not answered fails with ClosedError, jobs go back at once. */
    async close() {
        this.stream?.settle();
        this.others.settle();
        this.fail(new ClosedError());
        this.life.abort();
        await this.served;
    }
    needStream() {
        if (!this.stream) {
            throw new TypeError("connect was given no clientId, so there is no stream to listen to");
        }
        return this.stream;
    }
    /** Lets a follower or a reader begin. */
    begin(user) {
        if (this.closed) {
            user.fail(this.closed);
        }
        else if (this.session) {
            user.attach(this.session);
        }
    }
    newKey() {
        return this.prefix + (++this.keys).toString(36);
    }
    async hello() {
        const o = this.o;
        const token = await tokenOf(o.token);
        return {
            type: "hello", token, tenant: o.tenant, client_id: o.clientId, device_id: o.deviceId,
            window: o.window, name: o.name ?? o.clientId, version,
            resume: this.stream?.resume(), ready: this.stream ? false : undefined,
        };
    }
    attach(session) {
        session.number = ++this.sessions;
        this.session = session;
        this.stream?.attach(session);
        for (const w of this.workers)
            w.restream(session); // Before the ends of jobs, which end their streams.
        this.flight.attach(session);
        this.refresh.attach(session);
        for (const user of [...this.workers, ...this.followers, ...this.readers]) {
            user.attach(session);
        }
        this.others.attach(session);
    }
    detach() {
        this.session = undefined;
        this.others.detach();
        this.refresh.detach();
        this.stream?.detach();
        this.flight.detach();
    }
    /** Ends everything that runs. */
    fail(error) {
        if (this.closed) {
            return;
        }
        this.closed = error;
        this.flight.close(error);
        this.stream?.close(error);
        for (const user of [...this.workers, ...this.followers, ...this.readers]) {
            user.fail(error);
        }
        this.others.fail(error);
        this.resolveDone(error);
    }
    /** Every message of a node goes to whom it is for. */
    handle(session, m) {
        switch (m.type) {
            case "ok":
                this.flight.answered(m.id, m);
                break;
            case "error":
                if (m.id === undefined)
                    this.o.logger.warn("baton: the node refused a message", errorOf(m).message);
                else
                    this.flight.answered(m.id, undefined, errorOf(m));
                break;
            case "gap":
            case "notify":
            case "synced":
                if (m.subscription === undefined)
                    this.stream?.receive(m);
                else if (!this.others.receive(m) && m.type === "gap")
                    this.followed(m);
                break;
            case "job":
                if (![...this.workers].some((w) => w.accept(session, m))) {
                    session.send({ type: "release", lease: m.lease }); // It has no worker any more.
                }
                break;
            case "renewed":
                for (const w of this.workers)
                    w.renewed(m);
                break;
            case "cancel":
                for (const w of this.workers)
                    w.cancel(m);
                break;
            case "event":
                this.followed(m);
                break;
            case "chunk":
            case "reset":
                for (const r of this.readers)
                    r.receive(m);
                break;
        }
    }
    followed(m) {
        for (const f of this.followers)
            f.receive(m);
    }
}
function newPrefix() {
    const random = crypto.getRandomValues(new Uint8Array(10));
    return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("") + "-";
}
