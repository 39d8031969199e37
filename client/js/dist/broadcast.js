import { badRequest } from "./errors.js";
import { payloadFields } from "./payload.js";
/** How many clients a broadcast may name. */
export const mostBroadcastClients = 10_000;
/** The broadcast as the protocol has it. */
export function broadcastMessage(clientIds, name, data, o) {
    const ids = [...clientIds];
    if (typeof clientIds === "string" || ids.length === 0 || ids.length > mostBroadcastClients) {
        throw badRequest(`a broadcast names a list of 1 to ${mostBroadcastClients} clients`);
    }
    return {
        type: "broadcast", client_ids: ids, name, idempotency_key: o.idempotencyKey, correlation_id: o.correlationId,
        causation_id: o.causationId, ...payloadFields(data),
    };
}
export function broadcastReceipt(ok) {
    return { eventId: ok.event_id, correlationId: ok.correlation_id, duplicate: ok.duplicate === true };
}
