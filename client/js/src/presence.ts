import { askNodes } from "./http.js";
import type { Settings } from "./options.js";

/** Whether a client is connected, and how far each of its devices is. */
export interface Presence {
  clientId: string;
  tenant: string;
  /** Some socket takes the client's stream now. */
  connected: boolean;
  epoch: string;
  /** The last notification's number, 0 for none. */
  seq: number;
  /** The first one that is kept; seq + 1 where nothing is. */
  oldest: number;
  devices: DevicePresence[];
}

/** One of a client's devices: connected now, or with a cursor that was kept. */
export interface DevicePresence {
  deviceId: string;
  connected: boolean;
  /** The nodes that hold its sockets, once for each. */
  nodes: string[];
  /** The last number that a socket was sent; 0 where there is none. */
  sent: number;
  /** The last number that it acknowledged. */
  acked: number;
  /** How many it has not acknowledged, of those that are kept. */
  lag: number;
  /** When it last acknowledged; undefined for never. */
  ackedTime: Date | undefined;
}

/** Asks over HTTP. */
export async function presenceOf(clientId: string, o: Settings, signal?: AbortSignal): Promise<Presence> {
  return presence(await askNodes(o, { path: `/v1/clients/${encodeURIComponent(clientId)}`, query: { tenant: o.tenant }, signal }));
}

function presence(body: Record<string, any>): Presence {
  return {
    clientId: body.client_id, tenant: body.tenant, connected: body.connected, epoch: body.epoch, seq: body.seq, oldest: body.oldest,
    devices: (body.devices ?? []).map((d: Record<string, any>) => ({
      deviceId: d.device_id, connected: d.connected, nodes: d.nodes ?? [], sent: d.sent ?? 0, acked: d.acked, lag: d.lag,
      ackedTime: d.acked_time ? new Date(d.acked_time) : undefined,
    })),
  };
}
