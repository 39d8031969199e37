/** A refusal by the cluster: see "Errors" in docs/protocol.md. */
export declare class BatonError extends Error {
    /** An HTTP status. */
    readonly code: number;
    /** A stable word. */
    readonly reason: string;
    /** Whether the same request may succeed later. */
    readonly retryable: boolean;
    /** How long to wait at least before it is sent again. */
    readonly retryAfterMs: number;
    constructor(code: number, reason: string, message: string, retryable?: boolean, retryAfterMs?: number);
}
export declare class BadRequestError extends BatonError {
}
export declare class UnauthenticatedError extends BatonError {
}
export declare class ForbiddenError extends BatonError {
}
export declare class NotFoundError extends BatonError {
}
/** The lease ended, or was granted to another worker. */
export declare class LeaseLostError extends BatonError {
}
/** The idempotency key was used before, with other data. */
export declare class IdempotencyConflictError extends BatonError {
}
export declare class SequenceError extends BatonError {
}
export declare class TooLargeError extends BatonError {
}
/** Any 429: reason says which limit it is. */
export declare class LimitError extends BatonError {
}
export declare class NotAvailableError extends BatonError {
}
/** Any 503: reason says why. */
export declare class UnavailableError extends BatonError {
}
/** The error of a message of type error. */
export declare function errorOf(m: Record<string, any>): BatonError;
/** What the cluster would refuse, refused here: it need not be sent. */
export declare function badRequest(message: string): BadRequestError;
export declare function leaseLost(): LeaseLostError;
/** The client was closed. */
export declare class ClosedError extends Error {
    readonly name = "ClosedError";
    constructor();
}
/** The socket was lost before the answer to something that dies with it. */
export declare class SessionLostError extends Error {
    readonly name = "SessionLostError";
    constructor();
}
/** A node closed the connection for good: connecting again would not help. */
export declare class RejectedError extends Error {
    readonly name = "RejectedError";
    /** The close code, 4500 to 4999, or 0 for a bye. */
    readonly code: number;
    readonly reason: string;
    constructor(code: number, reason: string, last?: BatonError);
}
/** No node could be reached, or those that were refused for the time being. */
export declare class ConnectError extends Error {
    readonly name = "ConnectError";
    readonly nodes: string[];
    /** The last answer of a node that was reached. */
    readonly refusal: BatonError | undefined;
    constructor(nodes: string[], cause: unknown, refusal?: BatonError);
}
/** A signal ended the wait for an answer; what was asked for may still happen. */
export declare class InterruptedError extends Error {
    readonly name = "InterruptedError";
    /** The last refusal, if there was one. */
    readonly last: BatonError | undefined;
    constructor(cause: unknown, last?: BatonError);
}
/** The reason of job.signal when the event was canceled. */
export declare class CanceledError extends Error {
    readonly name = "CanceledError";
    readonly reason: string;
    readonly graceMs: number;
    constructor(reason: string, graceMs: number);
}
/** What report is told of a job that its handler parked. */
export declare class ParkedError extends Error {
    readonly name = "ParkedError";
    /** The handler's error, if it threw one behind the park. */
    constructor(cause?: unknown);
}
/** The reason of job.signal when its worker was stopped and the grace is over. */
export declare class StoppingError extends Error {
    readonly name = "StoppingError";
    constructor();
}
