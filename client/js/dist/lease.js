import { badRequest } from "./errors.js";
import { eventFields } from "./event.js";
import { JobError } from "./joberror.js";
import { checked, payloadFields } from "./payload.js";
const mostOpaque = 512;
export function checkLease(lease) {
    if (typeof lease !== "string" || lease === "" || lease.length > mostOpaque) {
        throw badRequest(`a lease has 1 to ${mostOpaque} letters`);
    }
}
/** The completion as the protocol has it. */
export function completeFields(lease, done) {
    checkLease(lease);
    return {
        type: "complete", lease,
        result: done.result === undefined ? undefined : checked(done.result),
        usage: done.usage === undefined ? undefined : checked(done.usage),
        emit: done.emit?.map(({ channel, data, ...options }) => eventFields(channel, data, options)),
        notify: done.notify?.map(({ name, data, clientId }) => notifyFields(name, data, clientId)),
    };
}
/** The failure as the protocol has it; any error but a JobError is an ordinary failure. */
export function failFields(lease, failure) {
    checkLease(lease);
    const error = failure instanceof JobError ? failure : new JobError(String(failure?.message ?? failure), { cause: failure });
    return {
        type: "fail", lease,
        error: { code: error.code, message: error.message.slice(0, 1000), detail: error.detail },
        retryable: error.permanent ? false : undefined,
        retry_after_ms: error.retryAfterMs > 0 ? Math.ceil(error.retryAfterMs) : undefined,
        throttled: error.throttled || undefined,
    };
}
export function notifyFields(name, data, clientId) {
    if (!name) {
        throw badRequest("a notification needs a name");
    }
    return { client_id: clientId, name, ...payloadFields(data) };
}
