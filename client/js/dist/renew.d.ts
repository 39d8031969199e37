import type { Message, Session } from "./session.js";
import type { Running } from "./worker.js";
/** Keeps the leases of a worker's jobs alive. */
export declare class Renewals {
    private readonly jobs;
    private session;
    private interval;
    private timer;
    constructor(jobs: Map<string, Running>);
    /** The old socket's leases may be lost: all are renewed over the new one. */
    attach(session: Session): void;
    /** Looks often enough for a lease of this length. */
    look(leaseMs: number): void;
    stop(): void;
    /** Takes note of new terms, and of leases that are lost. */
    renewed(m: Message): void;
    private renewDue;
    private renew;
}
