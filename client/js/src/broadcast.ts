import { badRequest } from "./errors.js";
import { payloadFields } from "./payload.js";
import type { Message } from "./session.js";

export interface BroadcastOptions {
  /** Makes it safe to repeat, beyond the life of this program too. Default: one made up for this call. */
  idempotencyKey?: string;
  /** Puts it into a lineage that exists. Default: the idempotency key. */
  correlationId?: string;
  /** Names the event that caused it. */
  causationId?: string;
}

/** What a broadcast came to. */
export interface BroadcastReceipt {
  /** No event can be looked up under it; the lineage shows who was notified. */
  eventId: string;
  correlationId: string;
  /** The idempotency key was used before, and all had it already. */
  duplicate: boolean;
}

/** How many clients a broadcast may name. */
export const mostBroadcastClients = 10_000;

/** The broadcast as the protocol has it. */
export function broadcastMessage(clientIds: Iterable<string>, name: string, data: unknown, o: BroadcastOptions): Message {
  const ids = [...clientIds];
  if (typeof clientIds === "string" || ids.length === 0 || ids.length > mostBroadcastClients) {
    throw badRequest(`a broadcast names a list of 1 to ${mostBroadcastClients} clients`);
  }
  return {
    type: "broadcast", client_ids: ids, name, idempotency_key: o.idempotencyKey, correlation_id: o.correlationId,
    causation_id: o.causationId, ...payloadFields(data),
  };
}

export function broadcastReceipt(ok: Message): BroadcastReceipt {
  return { eventId: ok.event_id, correlationId: ok.correlation_id, duplicate: ok.duplicate === true };
}
