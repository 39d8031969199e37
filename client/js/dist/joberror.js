/**
 * An error of a handler that says how its job fails. Any other error fails it
 * too, and it is tried again.
 */
export class JobError extends Error {
    code;
    detail;
    retryAfterMs;
    /** Trying again is of no use. */
    permanent = false;
    /** A limit outside refused the work: no attempt is counted. */
    throttled = false;
    constructor(message, options = {}) {
        super(message, options.cause === undefined ? undefined : { cause: options.cause });
        this.name = new.target.name;
        this.code = options.code ?? "failed";
        this.detail = options.detail;
        this.retryAfterMs = options.retryAfterMs ?? 0;
    }
}
/** The job is not tried again: it becomes a dead letter. */
export class PermanentError extends JobError {
    permanent = true;
}
/** The job is tried again, no sooner than after a while. */
export class RetryAfter extends JobError {
    constructor(retryAfterMs, message = "to be tried again", options = {}) {
        super(message, { ...options, retryAfterMs });
    }
}
/** The job waits for a while, and no attempt is counted. */
export class Throttled extends JobError {
    throttled = true;
    constructor(retryAfterMs, message = "throttled", options = {}) {
        super(message, { ...options, retryAfterMs });
    }
}
