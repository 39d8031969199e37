import { type Flight } from "./flight.js";
import { Job } from "./job.js";
import type { Logger } from "./options.js";
import type { Session } from "./session.js";
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
/** One work: its subscription on the current session, and its jobs on whatever session they came. */
export declare class Worker {
    private readonly employer;
    private readonly channel;
    private readonly handler;
    private readonly o;
    /** Resolves when the worker has stopped; rejects when its subscription is refused, or the client ended for good. */
    readonly done: Promise<void>;
    private readonly jobs;
    private readonly places;
    private readonly renewals;
    private readonly credit;
    private session;
    private subscription;
    private stopping;
    private failure;
    private idle;
    private resolveDone;
    private rejectDone;
    /** Takes no more jobs, gives back what has not begun, and lets the rest finish within the grace. */
    stop(): Promise<void>;
    private subscribe;
    /** Takes note of the subscription, and of places that became free since it was asked for. */
    private subscribed;
    /** What may be outstanding in the current session: jobs from earlier ones count against it. */
    private open;
    private lend;
    private unsubscribe;
    private run;
    /** Waits for a place, runs the handler and ends the job. Returns what report is told. */
    private work;
    /**
     * Sends what the handler asked for. What the cluster refuses for another reason
     * than the lease ends the job as failed: it would be refused again.
     */
    private complete;
    /** Ends a job whose handler threw. */
    private broken;
    private sendFailure;
    /** Gives a job back. Where the socket is lost nobody can be told: the lease ends by itself. */
    private release;
    private link;
    /**
     * Parks a job. While that is under way, a renewal that finds the lease lost proves
     * nothing: the job's lease has no clock any more.
     */
    private park;
    private abortAll;
    /** Resolves when no job is at work. */
    private empty;
    private end;
}
