import { BatonError, badRequest, CanceledError, ClosedError, leaseLost, LeaseLostError, ParkedError, StoppingError } from "./errors.js";
import { checkName, whole } from "./event.js";
import { Room } from "./flight.js";
import { Job } from "./job.js";
import { JobError, PermanentError } from "./joberror.js";
import { failFields } from "./lease.js";
import { Renewals } from "./renew.js";
/** How long to wait before a subscription that was refused for now is asked for again. */
const leastRetryMs = 20;
/** One work: its subscription on the current session, and its jobs on whatever session they came. */
export class Worker {
    employer;
    channel;
    handler;
    o;
    /** Resolves when the worker has stopped; rejects when its subscription is refused, or the client ended for good. */
    done;
    jobs = new Map();
    places;
    renewals;
    credit;
    session;
    subscription;
    stopping = false;
    failure;
    idle = [];
    resolveDone;
    rejectDone;
    /** @internal */
    constructor(employer, channel, handler, o) {
        this.employer = employer;
        this.channel = channel;
        this.handler = handler;
        this.o = o;
        checkName("channel", channel);
        check(o);
        this.credit = o.credit ?? 16;
        this.places = new Room(this.credit);
        this.renewals = new Renewals(this.jobs);
        this.done = new Promise((resolve, reject) => {
            this.resolveDone = resolve;
            this.rejectDone = reject;
        });
        const stop = () => void this.stop().catch(() => { }); // done tells.
        o.signal?.addEventListener("abort", stop, { once: true });
        if (o.signal?.aborted) {
            stop();
        }
    }
    /** Takes no more jobs, gives back what has not begun, and lets the rest finish within the grace. */
    async stop() {
        if (!this.stopping) {
            this.stopping = true;
            this.unsubscribe();
            const grace = setTimeout(() => this.abortAll(new StoppingError()), this.o.graceMs ?? 10_000);
            await this.empty();
            clearTimeout(grace);
            this.end();
        }
        return this.done;
    }
    /** Ends the worker, and its jobs with error as the reason. @internal */
    fail(error) {
        this.failure ??= error;
        this.stopping = true;
        this.abortAll(error);
        void this.empty().then(() => this.end());
    }
    /** Goes on with the streams of all jobs in a session. @internal */
    restream(session) {
        for (const { job } of this.jobs.values())
            job.restream(session);
    }
    /** Subscribes in a session. @internal */
    attach(session) {
        if (this.session === session) {
            return;
        }
        this.session = session;
        this.subscription = undefined;
        this.renewals.attach(session);
        if (!this.stopping) {
            void this.subscribe(session);
        }
    }
    /** Starts a job of this worker's subscription; false for another's. @internal */
    accept(session, m) {
        if (session !== this.session || m.subscription !== this.subscription || this.stopping) {
            return false;
        }
        const abort = new AbortController();
        const begun = performance.now();
        const running = {
            job: new Job(m, abort.signal, this.link()), lease: m.lease, session, abort, begun, expires: begun + m.lease_ms, lost: false, parking: false, parked: false,
        };
        this.jobs.set(m.lease, running);
        this.renewals.look(m.lease_ms);
        void this.run(running);
        return true;
    }
    /** @internal */
    renewed(m) {
        this.renewals.renewed(m);
    }
    /** Ends a job's signal at the cluster's wish. Without a grace the lease is gone already. @internal */
    cancel(m) {
        const running = this.jobs.get(m.lease);
        if (!running) {
            return;
        }
        if (m.grace_ms) {
            running.abort.abort(new CanceledError(m.reason ?? "", m.grace_ms));
        }
        else {
            running.lost = true;
            running.abort.abort(leaseLost());
        }
    }
    async subscribe(session) {
        const credit = this.open();
        const { group, from, leaseMs } = this.o;
        try {
            await this.employer.flight.askOnce({
                type: "subscribe", channel: this.channel, group, from, credit, lease_ms: leaseMs && Math.ceil(leaseMs),
            }, (m) => this.subscribed(session, m.subscription, credit));
        }
        catch (error) {
            if (error instanceof BatonError && error.retryable) {
                setTimeout(() => {
                    if (this.session === session && !this.stopping)
                        void this.subscribe(session);
                }, Math.max(error.retryAfterMs, leastRetryMs));
            }
            else if (error instanceof BatonError) {
                this.fail(error);
            }
            // Else the session is lost, or the client closed: another will come, or none.
        }
    }
    /** Takes note of the subscription, and of places that became free since it was asked for. */
    subscribed(session, subscription, credit) {
        if (this.session !== session) {
            return;
        }
        this.subscription = subscription;
        if (this.stopping) {
            this.unsubscribe();
        }
        else if (this.open() !== credit) {
            this.lend();
        }
    }
    /** What may be outstanding in the current session: jobs from earlier ones count against it. */
    open() {
        let credit = this.credit;
        for (const running of this.jobs.values()) {
            if (running.session !== this.session)
                credit--;
        }
        return Math.max(credit, 0);
    }
    lend() {
        if (this.subscription !== undefined && !this.stopping) {
            this.session?.send({ type: "credit", subscription: this.subscription, credit: this.open() });
        }
    }
    unsubscribe() {
        if (this.subscription !== undefined) {
            void this.employer.flight.askOnce({ type: "unsubscribe", subscription: this.subscription }).catch(() => { });
            this.subscription = undefined;
        }
    }
    async run(running) {
        const error = await this.work(running);
        this.jobs.delete(running.lease);
        if (running.session !== this.session) {
            this.lend();
        }
        try {
            this.o.report?.(running.job, error);
        }
        catch (thrown) {
            this.employer.logger.warn("baton: report failed", thrown);
        }
        if (this.jobs.size === 0) {
            for (const resolve of this.idle.splice(0))
                resolve();
        }
    }
    /** Waits for a place, runs the handler and ends the job. Returns what report is told. */
    async work(running) {
        const { signal } = running.abort;
        await this.places.enter();
        try {
            if (signal.aborted) {
                return signal.reason;
            }
            if (this.stopping) {
                this.release(running);
                return new StoppingError();
            }
            let error;
            try {
                await this.handler(running.job);
            }
            catch (thrown) {
                error = thrown ?? new Error("failed");
            }
            if (running.parked) {
                return new ParkedError(error);
            }
            if (running.lost) {
                return leaseLost();
            }
            return error === undefined ? await this.complete(running) : await this.broken(running, error);
        }
        finally {
            this.places.leave();
        }
    }
    /**
     * Sends what the handler asked for. What the cluster refuses for another reason
     * than the lease ends the job as failed: it would be refused again.
     */
    async complete(running) {
        try {
            await this.employer.flight.ask(running.job.outcome());
            return undefined;
        }
        catch (error) {
            if (error instanceof LeaseLostError || error instanceof ClosedError) {
                return error;
            }
            const code = error instanceof BatonError ? error.reason : "bad_outcome";
            return this.sendFailure(running, new PermanentError(String(error.message), { code, cause: error }));
        }
    }
    /** Ends a job whose handler threw. */
    broken(running, error) {
        const reason = running.abort.signal.reason;
        if (reason instanceof StoppingError || reason === this.failure && reason !== undefined) {
            // The worker was stopped: that is no fault of the job.
            this.release(running);
            return reason;
        }
        if (error instanceof JobError) {
            return this.sendFailure(running, error);
        }
        return this.sendFailure(running, new JobError(String(error?.message ?? error), { cause: error }));
    }
    async sendFailure(running, error) {
        try {
            await this.employer.flight.ask(failFields(running.lease, error));
            return error;
        }
        catch (refused) {
            return refused;
        }
    }
    /** Gives a job back. Where the socket is lost nobody can be told: the lease ends by itself. */
    release(running) {
        if (!running.lost) {
            this.session?.send({ type: "release", lease: running.lease });
        }
    }
    link() {
        return {
            checkpoint: (lease, checkpoint) => {
                const text = JSON.stringify({ type: "renew", leases: [{ lease, checkpoint }] });
                if (text.length > this.employer.maxMessageBytes()) {
                    this.employer.logger.warn("baton: a checkpoint is too large", text.length);
                }
                else {
                    this.session?.send(text);
                }
            },
            keep: async (lease, checkpoint, signal) => {
                await this.employer.flight.ask({ type: "checkpoint", lease, checkpoint }, signal);
            },
            park: (lease, options) => this.park(lease, options),
            session: () => this.session,
        };
    }
    /**
     * Parks a job. While that is under way, a renewal that finds the lease lost proves
     * nothing: the job's lease has no clock any more.
     */
    async park(lease, o) {
        const running = this.jobs.get(lease);
        if (!running || running.lost) {
            throw leaseLost();
        }
        const message = { type: "park", lease, timeout_ms: whole("timeoutMs", o.timeoutMs) };
        running.parking = true;
        try {
            await this.employer.flight.ask(message, o.signal);
            running.parked = true;
        }
        finally {
            running.parking = false;
        }
    }
    abortAll(reason) {
        for (const running of this.jobs.values()) {
            running.abort.abort(reason);
        }
    }
    /** Resolves when no job is at work. */
    empty() {
        return this.jobs.size === 0 ? Promise.resolve() : new Promise((resolve) => this.idle.push(resolve));
    }
    end() {
        this.employer.dismiss(this);
        this.renewals.stop();
        if (this.failure && !(this.failure instanceof ClosedError)) {
            this.rejectDone(this.failure);
        }
        else {
            this.resolveDone();
        }
    }
}
function check(o) {
    if (o.group !== undefined) {
        checkName("group", o.group);
    }
    if (o.from !== undefined && (o.group ?? "default") === "default") {
        throw badRequest("from is for other groups than default, which begins with the channel's first event");
    }
    if (o.from !== undefined && o.from !== "new" && o.from !== "earliest") {
        throw badRequest(`a group begins from "new" or "earliest", not ${JSON.stringify(o.from)}`);
    }
}
