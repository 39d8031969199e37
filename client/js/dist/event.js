import { badRequest } from "./errors.js";
import { payloadFields } from "./payload.js";
const channelName = /^[A-Za-z0-9._-]{1,255}$/;
export function checkName(what, name) {
    if (typeof name !== "string" || !channelName.test(name)) {
        throw badRequest(`${what} ${JSON.stringify(name)} must be 1 to 255 of letters, digits, dot, _ and -`);
    }
}
/** The event as the protocol has it. JSON leaves out what is undefined. */
export function eventFields(channel, data, o) {
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
export function whole(name, ms) {
    if (ms === undefined) {
        return undefined;
    }
    if (!(ms >= 0)) {
        throw badRequest(`${name} must not be negative`);
    }
    return Math.ceil(ms);
}
