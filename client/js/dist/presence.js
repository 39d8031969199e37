import { ConnectError, errorOf } from "./errors.js";
import { webUrls } from "./nodes.js";
import { tokenOf } from "./refresh.js";
/** How long one node may take. */
const httpTimeoutMs = 20_000;
/** Asks one node after the other, over HTTP, until one answers. */
export async function presenceOf(clientId, o, signal) {
    const query = o.tenant === undefined ? "" : `?tenant=${encodeURIComponent(o.tenant)}`;
    const nodes = webUrls(o.nodes);
    let refusal;
    let last;
    for (const node of nodes) {
        const timeout = AbortSignal.timeout(httpTimeoutMs);
        const token = await tokenOf(o.token);
        let response;
        let body;
        try {
            response = await fetch(`${node}/v1/clients/${encodeURIComponent(clientId)}${query}`, {
                headers: token ? { Authorization: `Bearer ${token}` } : {},
                signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
            });
            body = (await response.json());
        }
        catch (error) {
            if (signal?.aborted) {
                throw error;
            }
            last = error;
            continue;
        }
        if (response.ok) {
            return presence(body);
        }
        const refused = errorOf({ code: response.status, message: body.detail ?? response.statusText, ...body });
        if (!refused.retryable) {
            throw refused;
        }
        last = refusal = refused;
    }
    throw refusal ?? new ConnectError(nodes, last);
}
function presence(body) {
    return {
        clientId: body.client_id, tenant: body.tenant, connected: body.connected, epoch: body.epoch, seq: body.seq, oldest: body.oldest,
        devices: (body.devices ?? []).map((d) => ({
            deviceId: d.device_id, connected: d.connected, nodes: d.nodes ?? [], sent: d.sent ?? 0, acked: d.acked, lag: d.lag,
            ackedTime: d.acked_time ? new Date(d.acked_time) : undefined,
        })),
    };
}
