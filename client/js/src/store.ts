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
export class MemoryStore implements Store {
  private readonly values = new Map<string, string>();

  load(key: string): string | undefined {
    return this.values.get(key);
  }

  save(key: string, value: string): void {
    this.values.set(key, value);
  }
}

/** A store in localStorage, or in what has its methods. */
export class WebStore implements Store {
  constructor(private readonly storage: Pick<Storage, "getItem" | "setItem">) {}

  load(key: string): string | null {
    return this.storage.getItem(key);
  }

  save(key: string, value: string): void {
    this.storage.setItem(key, value);
  }
}

/** The default: localStorage in a page that may use it, else memory. */
export function defaultStore(): Store {
  try {
    // Node has a localStorage too, which warns when it is touched without a file.
    if (typeof window !== "undefined" && window.localStorage) {
      return new WebStore(window.localStorage);
    }
  } catch {
    // Storage is denied to this page.
  }
  return new MemoryStore();
}

/** The key of a device's position. */
export function storeKey(tenant: string, clientId: string, deviceId: string): string {
  return ["baton", tenant, clientId, deviceId].map(encodeURIComponent).join("/");
}

/** Reads a position; what is not one is none. */
export function parsePosition(text: string | null | undefined): Position | undefined {
  try {
    const value = JSON.parse(text ?? "null") as Partial<Position> | null;
    if (typeof value?.epoch === "string" && Number.isSafeInteger(value.seq)) {
      return { epoch: value.epoch, seq: value.seq as number };
    }
  } catch {
    // Another program's, or damaged: the node knows the device's cursor.
  }
  return undefined;
}
