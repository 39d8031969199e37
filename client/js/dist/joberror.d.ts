export interface JobErrorOptions {
    /** A word for programs; "failed" by default. */
    code?: string;
    /** Any value that encodes as JSON, kept in the lineage. */
    detail?: unknown;
    /** How long to wait at least before the next attempt. */
    retryAfterMs?: number;
    cause?: unknown;
}
/**
 * An error of a handler that says how its job fails. Any other error fails it
 * too, and it is tried again.
 */
export declare class JobError extends Error {
    readonly code: string;
    readonly detail: unknown;
    readonly retryAfterMs: number;
    /** Trying again is of no use. */
    readonly permanent: boolean;
    /** A limit outside refused the work: no attempt is counted. */
    readonly throttled: boolean;
    constructor(message: string, options?: JobErrorOptions);
}
/** The job is not tried again: it becomes a dead letter. */
export declare class PermanentError extends JobError {
    readonly permanent = true;
}
/** The job is tried again, no sooner than after a while. */
export declare class RetryAfter extends JobError {
    constructor(retryAfterMs: number, message?: string, options?: JobErrorOptions);
}
/** The job waits for a while, and no attempt is counted. */
export declare class Throttled extends JobError {
    readonly throttled = true;
    constructor(retryAfterMs: number, message?: string, options?: JobErrorOptions);
}
