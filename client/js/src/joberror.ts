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
export class JobError extends Error {
  readonly code: string;
  readonly detail: unknown;
  readonly retryAfterMs: number;
  /** Trying again is of no use. */
  readonly permanent: boolean = false;
  /** A limit outside refused the work: no attempt is counted. */
  readonly throttled: boolean = false;

  constructor(message: string, options: JobErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code ?? "failed";
    this.detail = options.detail;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

/** The job is not tried again: it becomes a dead letter. */
export class PermanentError extends JobError {
  override readonly permanent = true;
}

/** The job is tried again, no sooner than after a while. */
export class RetryAfter extends JobError {
  constructor(retryAfterMs: number, message = "to be tried again", options: JobErrorOptions = {}) {
    super(message, { ...options, retryAfterMs });
  }
}

/** The job waits for a while, and no attempt is counted. */
export class Throttled extends JobError {
  override readonly throttled = true;

  constructor(retryAfterMs: number, message = "throttled", options: JobErrorOptions = {}) {
    super(message, { ...options, retryAfterMs });
  }
}
