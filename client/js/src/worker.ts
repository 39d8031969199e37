import { BatonError, badRequest, CanceledError, ClosedError, leaseLost, LeaseLostError, ParkedError, StoppingError } from "./errors.js";
import { checkName, whole } from "./event.js";
import { type Flight, Room } from "./flight.js";
import { Job, type JobLink, type ParkOptions } from "./job.js";
import { JobError, PermanentError } from "./joberror.js";
import { failFields } from "./lease.js";
import type { Logger } from "./options.js";
import { Renewals } from "./renew.js";
import type { Message, Session } from "./session.js";

/** Which jobs to take. */
export interface WorkOptions {
  /** The consumer group, "default" by default. Each group of a channel gets every event once. One that does not exist is made. */
  group?: string;
  /** Where a group begins that is made now; not for the group default, which begins with the channel's first event. */
  from?: "new" | "earliest";
  /** How many jobs are worked on at a time. Default 16. */
  credit?: number;
  /** How long a job may be without a sign of life before another worker gets it. It is renewed all the while. */
  leaseMs?: number;
  /** How long jobs may go on after stop. Default 10000. */
  graceMs?: number;
  /** Is told how each job ended: without an error for completed. */
  report?: (job: Job, error?: Error) => void;
  /** Stops the worker. */
  signal?: AbortSignal;
}

/** What a worker needs of its client. */
export interface Employer {
  flight: Flight;
  logger: Logger;
  maxMessageBytes(): number;
  dismiss(w: Worker): void;
}

/** A job from its arrival to the answer of its end. */
export interface Running {
  job: Job;
  lease: string;
  session: Session;
  abort: AbortController;
  /** Of the lease's current term, in milliseconds of performance.now. */
  begun: number;
  expires: number;
  /** The cluster said so. */
  lost: boolean;
  /** A park is not answered yet; then, whether the job is parked. */
  parking: boolean;
  parked: boolean;
}

/** How long to wait before a subscription that was refused for now is asked for again. */
const leastRetryMs = 20;

/** One work: its subscription on the current session, and its jobs on whatever session they came. */
export class Worker {
  /** Resolves when the worker has stopped; rejects when its subscription is refused, or the client ended for good. */
  readonly done: Promise<void>;

  private readonly jobs = new Map<string, Running>();
  private readonly places: Room;
  private readonly renewals: Renewals;
  private readonly credit: number;
  private session: Session | undefined;
  private subscription: string | undefined;
  private stopping = false;
  private failure: Error | undefined;
  private idle: (() => void)[] = [];
  private resolveDone!: () => void;
  private rejectDone!: (error: Error) => void;

  /** @internal */
  constructor(
    private readonly employer: Employer,
    private readonly channel: string,
    private readonly handler: (job: Job) => unknown,
    private readonly o: WorkOptions,
  ) {
    checkName("channel", channel);
    check(o);
    this.credit = o.credit ?? 16;
    this.places = new Room(this.credit);
    this.renewals = new Renewals(this.jobs);
    this.done = new Promise((resolve, reject) => {
      this.resolveDone = resolve;
      this.rejectDone = reject;
    });
    const stop = (): void => void this.stop().catch(() => {}); // done tells.
    o.signal?.addEventListener("abort", stop, { once: true });
    if (o.signal?.aborted) {
      stop();
    }
  }

  /** Takes no more jobs, gives back what has not begun, and lets the rest finish within the grace. */
  async stop(): Promise<void> {
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
  fail(error: Error): void {
    this.failure ??= error;
    this.stopping = true;
    this.abortAll(error);
    void this.empty().then(() => this.end());
  }

  /** Goes on with the streams of all jobs in a session. @internal */
  restream(session: Session): void {
    for (const { job } of this.jobs.values()) job.restream(session);
  }

  /** Subscribes in a session. @internal */
  attach(session: Session): void {
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
  accept(session: Session, m: Message): boolean {
    if (session !== this.session || m.subscription !== this.subscription || this.stopping) {
      return false;
    }
    const abort = new AbortController();
    const begun = performance.now();
    const running: Running = {
      job: new Job(m, abort.signal, this.link()), lease: m.lease, session, abort, begun, expires: begun + m.lease_ms, lost: false, parking: false, parked: false,
    };
    this.jobs.set(m.lease, running);
    this.renewals.look(m.lease_ms);
    void this.run(running);
    return true;
  }

  /** @internal */
  renewed(m: Message): void {
    this.renewals.renewed(m);
  }

  /** Ends a job's signal at the cluster's wish. Without a grace the lease is gone already. @internal */
  cancel(m: Message): void {
    const running = this.jobs.get(m.lease);
    if (!running) {
      return;
    }
    if (m.grace_ms) {
      running.abort.abort(new CanceledError(m.reason ?? "", m.grace_ms));
    } else {
      running.lost = true;
      running.abort.abort(leaseLost());
    }
  }

  private async subscribe(session: Session): Promise<void> {
    const credit = this.open();
    const { group, from, leaseMs } = this.o;
    try {
      await this.employer.flight.askOnce({
        type: "subscribe", channel: this.channel, group, from, credit, lease_ms: leaseMs && Math.ceil(leaseMs),
      }, (m) => this.subscribed(session, m.subscription, credit));
    } catch (error) {
      if (error instanceof BatonError && error.retryable) {
        setTimeout(() => {
          if (this.session === session && !this.stopping) void this.subscribe(session);
        }, Math.max(error.retryAfterMs, leastRetryMs));
      } else if (error instanceof BatonError) {
        this.fail(error);
      }
      // Else the session is lost, or the client closed: another will come, or none.
    }
  }

  /** Takes note of the subscription, and of places that became free since it was asked for. */
  private subscribed(session: Session, subscription: string, credit: number): void {
    if (this.session !== session) {
      return;
    }
    this.subscription = subscription;
    if (this.stopping) {
      this.unsubscribe();
    } else if (this.open() !== credit) {
      this.lend();
    }
  }

  /** What may be outstanding in the current session: jobs from earlier ones count against it. */
  private open(): number {
    let credit = this.credit;
    for (const running of this.jobs.values()) {
      if (running.session !== this.session) credit--;
    }
    return Math.max(credit, 0);
  }

  private lend(): void {
    if (this.subscription !== undefined && !this.stopping) {
      this.session?.send({ type: "credit", subscription: this.subscription, credit: this.open() });
    }
  }

  private unsubscribe(): void {
    if (this.subscription !== undefined) {
      void this.employer.flight.askOnce({ type: "unsubscribe", subscription: this.subscription }).catch(() => {});
      this.subscription = undefined;
    }
  }

  private async run(running: Running): Promise<void> {
    const error = await this.work(running);
    this.jobs.delete(running.lease);
    if (running.session !== this.session) {
      this.lend();
    }
    try {
      this.o.report?.(running.job, error);
    } catch (thrown) {
      this.employer.logger.warn("baton: report failed", thrown);
    }
    if (this.jobs.size === 0) {
      for (const resolve of this.idle.splice(0)) resolve();
    }
  }

  /** Waits for a place, runs the handler and ends the job. Returns what report is told. */
  private async work(running: Running): Promise<Error | undefined> {
    const { signal } = running.abort;
    await this.places.enter();
    try {
      if (signal.aborted) {
        return signal.reason as Error;
      }
      if (this.stopping) {
        this.release(running);
        return new StoppingError();
      }
      let error: unknown;
      try {
        await this.handler(running.job);
      } catch (thrown) {
        error = thrown ?? new Error("failed");
      }
      if (running.parked) {
        return new ParkedError(error);
      }
      if (running.lost) {
        return leaseLost();
      }
      return error === undefined ? await this.complete(running) : await this.broken(running, error);
    } finally {
      this.places.leave();
    }
  }

  /**
   * Sends what the handler asked for. What the cluster refuses for another reason
   * than the lease ends the job as failed: it would be refused again.
   */
  private async complete(running: Running): Promise<Error | undefined> {
    try {
      await this.employer.flight.ask(running.job.outcome());
      return undefined;
    } catch (error) {
      if (error instanceof LeaseLostError || error instanceof ClosedError) {
        return error;
      }
      const code = error instanceof BatonError ? error.reason : "bad_outcome";
      return this.sendFailure(running, new PermanentError(String((error as Error).message), { code, cause: error }));
    }
  }

  /** Ends a job whose handler threw. */
  private broken(running: Running, error: unknown): Promise<Error> | Error {
    const reason: unknown = running.abort.signal.reason;
    if (reason instanceof StoppingError || reason === this.failure && reason !== undefined) {
      // The worker was stopped: that is no fault of the job.
      this.release(running);
      return reason as Error;
    }
    if (error instanceof JobError) {
      return this.sendFailure(running, error);
    }
    return this.sendFailure(running, new JobError(String((error as Error)?.message ?? error), { cause: error }));
  }

  private async sendFailure(running: Running, error: JobError): Promise<Error> {
    try {
      await this.employer.flight.ask(failFields(running.lease, error));
      return error;
    } catch (refused) {
      return refused as Error;
    }
  }

  /** Gives a job back. Where the socket is lost nobody can be told: the lease ends by itself. */
  private release(running: Running): void {
    if (!running.lost) {
      this.session?.send({ type: "release", lease: running.lease });
    }
  }

  private link(): JobLink {
    return {
      checkpoint: (lease, checkpoint) => {
        const text = JSON.stringify({ type: "renew", leases: [{ lease, checkpoint }] });
        if (text.length > this.employer.maxMessageBytes()) {
          this.employer.logger.warn("baton: a checkpoint is too large", text.length);
        } else {
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
  private async park(lease: string, o: ParkOptions): Promise<void> {
    const running = this.jobs.get(lease);
    if (!running || running.lost) {
      throw leaseLost();
    }
    const message = { type: "park", lease, timeout_ms: whole("timeoutMs", o.timeoutMs) };
    running.parking = true;
    try {
      await this.employer.flight.ask(message, o.signal);
      running.parked = true;
    } finally {
      running.parking = false;
    }
  }

  private abortAll(reason: Error): void {
    for (const running of this.jobs.values()) {
      running.abort.abort(reason);
    }
  }

  /** Resolves when no job is at work. */
  private empty(): Promise<void> {
    return this.jobs.size === 0 ? Promise.resolve() : new Promise((resolve) => this.idle.push(resolve));
  }

  private end(): void {
    this.employer.dismiss(this);
    this.renewals.stop();
    if (this.failure && !(this.failure instanceof ClosedError)) {
      this.rejectDone(this.failure);
    } else {
      this.resolveDone();
    }
  }
}

function check(o: WorkOptions): void {
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
