export type { BroadcastOptions, BroadcastReceipt } from "./broadcast.js";
export { type CancelOptions, Client, connect, version } from "./client.js";
export {
  BadRequestError, BatonError, CanceledError, ClosedError, ConnectError, ForbiddenError, IdempotencyConflictError,
  InterruptedError, LeaseLostError, LimitError, NotAvailableError, NotFoundError, ParkedError, RejectedError, SequenceError,
  SessionLostError, StoppingError, TooLargeError, UnauthenticatedError, UnavailableError,
} from "./errors.js";
export type { EventOptions, Receipt } from "./event.js";
export type { FollowedEvent, FollowGap, FollowOptions, From } from "./follow.js";
export type { EmitOptions, Job, ParkOptions } from "./job.js";
export * from "./joberror.js";
export type { Completion } from "./lease.js";
export { Listener, type ListenOptions } from "./listen.js";
export type { Logger, Options, Socket, SocketConstructor } from "./options.js";
export type { ListenForOptions } from "./otherstream.js";
export type { Json } from "./payload.js";
export type { DevicePresence, Presence } from "./presence.js";
export type { Chunk, ReadOptions, StreamPosition } from "./readstream.js";
export type {
  MessageOptions, Run, RunAction, RunError, RunFilter, RunOptions, RunPage, RunRequest, RunState, RunStep, StartedRun,
} from "./runs.js";
export { MemoryStore, type Position, type Store, WebStore } from "./store.js";
export type { Gap, Notification } from "./stream.js";
export type { TokenStream } from "./tokens.js";
export { Worker, type WorkOptions } from "./worker.js";
