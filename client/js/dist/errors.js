/** A refusal by the cluster: see "Errors" in docs/protocol.md. */
export class BatonError extends Error {
    /** An HTTP status. */
    code;
    /** A stable word. */
    reason;
    /** Whether the same request may succeed later. */
    retryable;
    /** How long to wait at least before it is sent again. */
    retryAfterMs;
    constructor(code, reason, message, retryable = false, retryAfterMs = 0) {
        super(`${reason} (${code}): ${message}`);
        this.name = new.target.name;
        this.code = code;
        this.reason = reason;
        this.retryable = retryable;
        this.retryAfterMs = retryAfterMs;
    }
}
export class BadRequestError extends BatonError {
}
export class UnauthenticatedError extends BatonError {
}
export class ForbiddenError extends BatonError {
}
export class NotFoundError extends BatonError {
}
/** The lease ended, or was granted to another worker. */
export class LeaseLostError extends BatonError {
}
/** The idempotency key was used before, with other data. */
export class IdempotencyConflictError extends BatonError {
}
export class SequenceError extends BatonError {
}
export class TooLargeError extends BatonError {
}
/** Any 429: reason says which limit it is. */
export class LimitError extends BatonError {
}
export class NotAvailableError extends BatonError {
}
/** Any 503: reason says why. */
export class UnavailableError extends BatonError {
}
const byReason = {
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
export function errorOf(m) {
    const reason = m.reason ?? "unknown";
    const Kind = byReason[reason] ?? BatonError;
    return new Kind(m.code ?? 0, reason, m.message ?? "", m.retryable === true, m.retry_after_ms ?? 0);
}
/** What the cluster would refuse, refused here: it need not be sent. */
export function badRequest(message) {
    return new BadRequestError(400, "bad_request", message);
}
export function leaseLost() {
    return new LeaseLostError(409, "lease_lost", "the lease ended, or was granted to another worker");
}
/** The client was closed. */
export class ClosedError extends Error {
    name = "ClosedError";
    constructor() {
        super("the client is closed");
    }
}
/** The socket was lost before the answer to something that dies with it. */
export class SessionLostError extends Error {
    name = "SessionLostError";
    constructor() {
        super("the connection was lost");
    }
}
/** A node closed the connection for good: connecting again would not help. */
export class RejectedError extends Error {
    name = "RejectedError";
    /** The close code, 4500 to 4999, or 0 for a bye. */
    code;
    reason;
    constructor(code, reason, last) {
        super(`the node refused the connection: ${reason}${code ? ` (close code ${code})` : ""}`, { cause: last });
        this.code = code;
        this.reason = reason;
    }
}
/** No node could be reached, or those that were refused for the time being. */
export class ConnectError extends Error {
    name = "ConnectError";
    nodes;
    /** The last answer of a node that was reached. */
    refusal;
    constructor(nodes, cause, refusal) {
        super(`no session (tried ${nodes.join(", ")}): ${refusal?.message ?? String(cause?.message ?? cause)}`, { cause });
        this.nodes = nodes;
        this.refusal = refusal;
    }
}
/** A signal ended the wait for an answer; what was asked for may still happen. */
export class InterruptedError extends Error {
    name = "InterruptedError";
    /** The last refusal, if there was one. */
    last;
    constructor(cause, last) {
        super(`interrupted: ${String(cause?.message ?? cause)}${last ? `; the last answer was: ${last.message}` : ""}`, { cause });
        this.last = last;
    }
}
/** The reason of job.signal when the event was canceled. */
export class CanceledError extends Error {
    name = "CanceledError";
    reason;
    graceMs;
    constructor(reason, graceMs) {
        super(`the job is canceled: ${reason}`);
        this.reason = reason;
        this.graceMs = graceMs;
    }
}
/** What report is told of a job that its handler parked. */
export class ParkedError extends Error {
    name = "ParkedError";
    /** The handler's error, if it threw one behind the park. */
    constructor(cause) {
        super("the job is parked", cause === undefined ? undefined : { cause });
    }
}
/** The reason of job.signal when its worker was stopped and the grace is over. */
export class StoppingError extends Error {
    name = "StoppingError";
    constructor() {
        super("the worker is stopping");
    }
}
