import { askNodes } from "./http.js";
/** Asks over HTTP. */
export async function presenceOf(clientId, o, signal) {
    return presence(await askNodes(o, { path: `/v1/clients/${encodeURIComponent(clientId)}`, query: { tenant: o.tenant }, signal }));
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
