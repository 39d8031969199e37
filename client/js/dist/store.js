/** A store that lives as long as the program. Share one to go on in another client. */
export class MemoryStore {
    values = new Map();
    load(key) {
        return this.values.get(key);
    }
    save(key, value) {
        this.values.set(key, value);
    }
}
/** A store in localStorage, or in what has its methods. */
export class WebStore {
    storage;
    constructor(storage) {
        this.storage = storage;
    }
    load(key) {
        return this.storage.getItem(key);
    }
    save(key, value) {
        this.storage.setItem(key, value);
    }
}
/** The default: localStorage in a page that may use it, else memory. */
export function defaultStore() {
    try {
        // Node has a localStorage too, which warns when it is touched without a file.
        if (typeof window !== "undefined" && window.localStorage) {
            return new WebStore(window.localStorage);
        }
    }
    catch {
        // Storage is denied to this page.
    }
    return new MemoryStore();
}
/** The key of a device's position. */
export function storeKey(tenant, clientId, deviceId) {
    return ["baton", tenant, clientId, deviceId].map(encodeURIComponent).join("/");
}
/** Reads a position; what is not one is none. */
export function parsePosition(text) {
    try {
        const value = JSON.parse(text ?? "null");
        if (typeof value?.epoch === "string" && Number.isSafeInteger(value.seq)) {
            return { epoch: value.epoch, seq: value.seq };
        }
    }
    catch {
        // Another program's, or damaged: the node knows the device's cursor.
    }
    return undefined;
}
