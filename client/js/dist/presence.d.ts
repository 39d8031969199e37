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
export declare function presenceOf(clientId: string, o: Settings, signal?: AbortSignal): Promise<Presence>;
