/** A refusal by the cluster: see "Errors" in docs/protocol.md. */
export class BatonError extends Error {
  /** An HTTP status. */
  readonly code: number;
  /** A stable word. */
  readonly reason: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** How long to wait at least before it is sent again. */
  readonly retryAfterMs: number;

  constructor(code: number, reason: string, message: string, retryable = false, retryAfterMs = 0) {
    super(`${reason} (${code}): ${message}`);
    this.name = new.target.name;
    this.code = code;
    this.reason = reason;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }
}

export class BadRequestError extends BatonError {}
export class UnauthenticatedError extends BatonError {}
export class ForbiddenError extends BatonError {}
export class NotFoundError extends BatonError {}
/** The lease ended, or was granted to another worker. */
export class LeaseLostError extends BatonError {}
/** The idempotency key was used before, with other data. */
export class IdempotencyConflictError extends BatonError {}
export class SequenceError extends BatonError {}
export class TooLargeError extends BatonError {}
/** Any 429: reason says which limit it is. */
export class LimitError extends BatonError {}
export class NotAvailableError extends BatonError {}
/** Any 503: reason says why. */
export class UnavailableError extends BatonError {}

const byReason: Record<string, typeof BatonError> = {
  bad_request: BadRequestError,
  unauthenticated: UnauthenticatedError,
  forbidden: ForbiddenError,
  not_found: NotFoundError,
  lease_lost: LeaseLostError,
  idempotency_conflict: IdempotencyConflictError,
  sequence: SequenceError,
  too_large: TooLargeError,
  too_many_in_flight: LimitError,
  too_many_unfinished: LimitError,
  rate_limited: LimitError,
  tenant_limit: LimitError,
  not_available: NotAvailableError,
  no_leader: UnavailableError,
  overloaded: UnavailableError,
  draining: UnavailableError,
  outcome_unknown: UnavailableError,
};

/** The error of a message of type error. */
export function errorOf(m: Record<string, any>): BatonError {
  const reason = m.reason ?? "unknown";
  const Kind = byReason[reason] ?? BatonError;
  return new Kind(m.code ?? 0, reason, m.message ?? "", m.retryable === true, m.retry_after_ms ?? 0);
}

/** What the cluster would refuse, refused here: it need not be sent. */
export function badRequest(message: string): BadRequestError {
  return new BadRequestError(400, "bad_request", message);
}

export function leaseLost(): LeaseLostError {
  return new LeaseLostError(409, "lease_lost", "the lease ended, or was granted to another worker");
}

/** The client was closed. */
export class ClosedError extends Error {
  override readonly name = "ClosedError";
  constructor() {
    super("the client is closed");
  }
}

/** The socket was lost before the answer to something that dies with it. */
export class SessionLostError extends Error {
  override readonly name = "SessionLostError";
  constructor() {
    super("the connection was lost");
  }
}

/** A node closed the connection for good: connecting again would not help. */
export class RejectedError extends Error {
  override readonly name = "RejectedError";
  /** The close code, 4500 to 4999, or 0 for a bye. */
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string, last?: BatonError) {
    super(`the node refused the connection: ${reason}${code ? ` (close code ${code})` : ""}`, { cause: last });
    this.code = code;
    this.reason = reason;
  }
}

/** No node could be reached, or those that were refused for the time being. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly nodes: string[];
  /** The last answer of a node that was reached. */
  readonly refusal: BatonError | undefined;

  constructor(nodes: string[], cause: unknown, refusal?: BatonError) {
    super(`no session (tried ${nodes.join(", ")}): ${refusal?.message ?? String((cause as Error)?.message ?? cause)}`, { cause });
    this.nodes = nodes;
    this.refusal = refusal;
  }
}

/** A signal ended the wait for an answer; what was asked for may still happen. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  /** The last refusal, if there was one. */
  readonly last: BatonError | undefined;

  constructor(cause: unknown, last?: BatonError) {
    super(`interrupted: ${String((cause as Error)?.message ?? cause)}${last ? `; the last answer was: ${last.message}` : ""}`, { cause });
    this.last = last;
  }
}

/** The reason of job.signal when the event was canceled. */
export class CanceledError extends Error {
  override readonly name = "CanceledError";
  readonly reason: string;
  readonly graceMs: number;

  constructor(reason: string, graceMs: number) {
    super(`the job is canceled: ${reason}`);
    this.reason = reason;
    this.graceMs = graceMs;
  }
}

/** What report is told of a job that its handler parked. */
export class ParkedError extends Error {
  override readonly name = "ParkedError";
  /** The handler's error, if it threw one behind the park. */
  constructor(cause?: unknown) {
    super("the job is parked", cause === undefined ? undefined : { cause });
  }
}

/** The reason of job.signal when its worker was stopped and the grace is over. */
export class StoppingError extends Error {
  override readonly name = "StoppingError";
  constructor() {
    super("the worker is stopping");
  }
}
