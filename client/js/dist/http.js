import { ConnectError, errorOf } from "./errors.js";
import { webUrls } from "./nodes.js";
import { tokenOf } from "./refresh.js";
/** How long one node may take. */
const httpTimeoutMs = 20_000;
/** Asks one node after the other until one answers. */
export async function askNodes(o, question) {
    const nodes = webUrls(o.nodes);
    let refusal;
    let last;
    for (const node of nodes) {
        const request = await requestOf(o, question);
        let response;
        let body;
        try {
            response = await fetch(node + pathOf(question), request);
            body = (await response.json());
        }
        catch (error) {
            if (question.signal?.aborted) {
                throw error;
            }
            last = error;
            continue;
        }
        if (response.ok) {
            return body;
        }
        const refused = errorOf({ code: response.status, message: body.detail ?? response.statusText, ...body });
        if (!refused.retryable) {
            throw refused;
        }
        last = refusal = refused;
    }
    throw refusal ?? new ConnectError(nodes, last);
}
function pathOf({ path, query }) {
    const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
    const text = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
    return text === "" ? path : `${path}?${text}`;
}
async function requestOf(o, { method = "GET", body, idempotencyKey, signal }) {
    const timeout = AbortSignal.timeout(httpTimeoutMs);
    const token = await tokenOf(o.token);
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    if (idempotencyKey !== undefined) {
        headers["Idempotency-Key"] = idempotencyKey;
    }
    const request = { method, headers, signal: signal ? AbortSignal.any([signal, timeout]) : timeout };
    if (body !== undefined) {
        headers["Content-Type"] = "application/json";
        request.body = JSON.stringify(body);
    }
    return request;
}
