export { Client, connect, version } from "./client.js";
export { BadRequestError, BatonError, CanceledError, ClosedError, ConnectError, ForbiddenError, IdempotencyConflictError, InterruptedError, LeaseLostError, LimitError, NotAvailableError, NotFoundError, ParkedError, RejectedError, SequenceError, SessionLostError, StoppingError, TooLargeError, UnauthenticatedError, UnavailableError, } from "./errors.js";
export * from "./joberror.js";
export { Listener } from "./listen.js";
export { MemoryStore, WebStore } from "./store.js";
export { Worker } from "./worker.js";
