import { type BatonError, ConnectError, errorOf } from "./errors.js";
import { webUrls } from "./nodes.js";
import type { Settings } from "./options.js";
import { tokenOf } from "./refresh.js";

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

/** How long one node may take. */
const httpTimeoutMs = 20_000;

/** Asks one node after the other, over HTTP, until one answers. */
export async function presenceOf(clientId: string, o: Settings, signal?: AbortSignal): Promise<Presence> {
  const query = o.tenant === undefined ? "" : `?tenant=${encodeURIComponent(o.tenant)}`;
  const nodes = webUrls(o.nodes);
  let refusal: BatonError | undefined;
  let last: unknown;
  for (const node of nodes) {
    const timeout = AbortSignal.timeout(httpTimeoutMs);
    const token = await tokenOf(o.token);
    let response: Response;
    let body: Record<string, any>;
    try {
      response = await fetch(`${node}/v1/clients/${encodeURIComponent(clientId)}${query}`, {
        headers: token ? { Authorization: `Bearer ${token}` } : {},
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      body = (await response.json()) as Record<string, any>;
    } catch (error) {
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

function presence(body: Record<string, any>): Presence {
  return {
    clientId: body.client_id, tenant: body.tenant, connected: body.connected, epoch: body.epoch, seq: body.seq, oldest: body.oldest,
    devices: (body.devices ?? []).map((d: Record<string, any>) => ({
      deviceId: d.device_id, connected: d.connected, nodes: d.nodes ?? [], sent: d.sent ?? 0, acked: d.acked, lag: d.lag,
      ackedTime: d.acked_time ? new Date(d.acked_time) : undefined,
    })),
  };
}
