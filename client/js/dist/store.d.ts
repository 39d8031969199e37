/** Where a client's stream stands: everything up to seq was handled. */
export interface Position {
    epoch: string;
    seq: number;
}
/** Keeps a position over a reload of the page or a restart of the program. */
export interface Store {
    load(key: string): string | null | undefined | Promise<string | null | undefined>;
    save(key: string, value: string): void | Promise<void>;
}
/** A store that lives as long as the program. Share one to go on in another client. */
export declare class MemoryStore implements Store {
    private readonly values;
    load(key: string): string | undefined;
    save(key: string, value: string): void;
}
/** A store in localStorage, or in what has its methods. */
export declare class WebStore implements Store {
    private readonly storage;
    constructor(storage: Pick<Storage, "getItem" | "setItem">);
    load(key: string): string | null;
    save(key: string, value: string): void;
}
/** The default: localStorage in a page that may use it, else memory. */
export declare function defaultStore(): Store;
/** The key of a device's position. */
export declare function storeKey(tenant: string, clientId: string, deviceId: string): string;
/** Reads a position; what is not one is none. */
export declare function parsePosition(text: string | null | undefined): Position | undefined;
