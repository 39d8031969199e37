import { defaultStore } from "./store.js";
const silent = { debug() { }, warn() { } };
const defaults = {
    connectAttempts: 0,
    connectTimeoutMs: 5000,
    minBackoffMs: 50,
    maxBackoffMs: 5000,
    probeIntervalMs: 3000,
    ackDelayMs: 5,
    maxPending: 4096,
};
export function settingsOf(o) {
    const { signal: _, ...given } = o;
    const found = o.WebSocket ?? globalThis.WebSocket;
    if (!found) {
        throw new TypeError('there is no WebSocket here: give one, as in connect({ …, WebSocket }) with import { WebSocket } from "ws"');
    }
    const settings = {
        ...defaults,
        ...given,
        store: o.store === undefined ? defaultStore() : o.store,
        WebSocket: found,
        logger: o.logger ?? silent,
    };
    for (const name of Object.keys(defaults)) {
        if (!(settings[name] >= 0)) {
            throw new TypeError(`${name} must not be negative`);
        }
    }
    if (!o.clientId && (o.deviceId || o.resume)) {
        throw new TypeError("deviceId and resume need a clientId");
    }
    if (settings.maxPending < 1) {
        throw new TypeError("maxPending must be at least 1");
    }
    return settings;
}
