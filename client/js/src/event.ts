import { badRequest } from "./errors.js";
import { payloadFields } from "./payload.js";

/** What an event may say besides its channel and its data. */
export interface EventOptions {
  /** Chooses the partition, and keeps the order of the events that share it. Default: the client id. */
  key?: string;
  /** Makes publishing safe to repeat, beyond the life of this program too. Default: one made up for this call. */
  idempotencyKey?: string;
  /** Puts the event into a lineage that exists. */
  correlationId?: string;
  /** Names the event that caused it. */
  causationId?: string;
  /** From 1, proves that nothing was lost on the way. */
  clientSeq?: number;
  priority?: number;
  headers?: Record<string, string>;
  contentType?: string;
  /** When the event may be worked on: after a while, or at a time. */
  delayMs?: number;
  deliverAt?: Date | number;
  /** For how long it is worth working on. */
  ttlMs?: number;
  /** The name under which the client is notified when all has ended that the event led to. */
  onEnd?: string;
  /** Whose event it is; for another client it takes a token that may be any. Default: the client's own, of an emitted one the job's. */
  clientId?: string;
}

/** Where an event was stored. */
export interface Receipt {
  eventId: string;
  correlationId: string;
  offset: number;
  /** The idempotency key was used before: the rest is the first event's. */
  duplicate: boolean;
}

const channelName = /^[A-Za-z0-9._-]{1,255}$/;

export function checkName(what: string, name: string): void {
  if (typeof name !== "string" || !channelName.test(name)) {
    throw badRequest(`${what} ${JSON.stringify(name)} must be 1 to 255 of letters, digits, dot, _ and -`);
  }
}

/** The event as the protocol has it. JSON leaves out what is undefined. */
export function eventFields(channel: string, data: unknown, o: EventOptions): Record<string, unknown> {
  checkName("channel", channel);
  return {
    channel,
    client_id: o.clientId,
    idempotency_key: o.idempotencyKey,
    correlation_id: o.correlationId,
    causation_id: o.causationId,
    key: o.key,
    client_seq: o.clientSeq,
    priority: o.priority,
    delay_ms: whole("delayMs", o.delayMs),
    deliver_at: o.deliverAt === undefined ? undefined : Math.floor(Number(o.deliverAt)),
    ttl_ms: whole("ttlMs", o.ttlMs),
    on_end: o.onEnd,
    headers: o.headers,
    content_type: o.contentType,
    ...payloadFields(data),
  };
}

/** Milliseconds, rounded up: a delay of less than one is not none. */
export function whole(name: string, ms: number | undefined): number | undefined {
  if (ms === undefined) {
    return undefined;
  }
  if (!(ms >= 0)) {
    throw badRequest(`${name} must not be negative`);
  }
  return Math.ceil(ms);
}
