import { defaultStore, type Position, type Store } from "./store.js";

/** What is used of a WebSocket: the browser's, Node's, or that of package ws. */
export interface Socket {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  /** Bytes that were sent and are not on their way. */
  readonly bufferedAmount?: number;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
}

export type SocketConstructor = new (url: string, protocols: string[]) => Socket;

/** Receives what happens to the connection; console is one. */
export interface Logger {
  debug(...values: unknown[]): void;
  warn(...values: unknown[]): void;
}

/** Which cluster to connect to, and as whom. Only nodes is required. */
export interface Options {
  /** URLs of any of the cluster's nodes: http, https, ws or wss, with or without /ws. */
  nodes: string | string[];
  /** Tries nodes in the order given; else the first one is random, so that clients spread over the cluster. */
  inOrder?: boolean;
  /** Ignores the nodes that the cluster tells of: for a cluster behind a load balancer. */
  givenOnly?: boolean;
  /**
   * The credential, where the cluster asks for one; or a function that gives a fresh one each time: for every
   * connection, and before the present one is over.
   */
  token?: string | (() => string | Promise<string>);
  /** Where no token says it; "default" by default. */
  tenant?: string;
  /** Names the durable stream of notifications; without one there is none. */
  clientId?: string;
  /** One of the client's devices, each with a cursor of its own. */
  deviceId?: string;
  /** The program, for the lineage: which worker did it. */
  name?: string;
  /** How many notifications may be out and not acknowledged. */
  window?: number;
  /** Where the stream begins, whatever the store says: behind a position, or with what comes from now on. */
  resume?: Position | "live";
  /** Keeps the position; null for nothing. Default: localStorage in a page, else memory. */
  store?: Store | null;
  /** The constructor of sockets, for Node before 22: import { WebSocket } from "ws". */
  WebSocket?: SocketConstructor;
  logger?: Logger;
  /** Ends the attempt to connect; not the client. */
  signal?: AbortSignal;
  /** How often connect tries; 0, the default, for ever. A client that was connected once tries for ever. */
  connectAttempts?: number;
  /** How long one attempt may take up to the open socket. Default 5000. */
  connectTimeoutMs?: number;
  /** Bounds of the pause between two attempts. Default 50 and 5000. */
  minBackoffMs?: number;
  maxBackoffMs?: number;
  /** After how much silence a node that owes an answer is asked for a sign of life. Default 3000. */
  probeIntervalMs?: number;
  /** How long an acknowledgement may wait for others. Default 5. */
  ackDelayMs?: number;
  /** How many events may be published and unanswered; beyond it, publish waits. Default 4096. */
  maxPending?: number;
}

/** Options with everything that has a default. */
export type Settings = Omit<Options, "store" | "signal" | "WebSocket"> &
  Required<Pick<Options, "connectAttempts" | "connectTimeoutMs" | "minBackoffMs" | "maxBackoffMs" | "probeIntervalMs" | "ackDelayMs" | "maxPending">> & {
    store: Store | null;
    WebSocket: SocketConstructor;
    logger: Logger;
  };

const silent: Logger = { debug() {}, warn() {} };

const defaults = {
  connectAttempts: 0,
  connectTimeoutMs: 5000,
  minBackoffMs: 50,
  maxBackoffMs: 5000,
  probeIntervalMs: 3000,
  ackDelayMs: 5,
  maxPending: 4096,
};

export function settingsOf(o: Options): Settings {
  const { signal: _, ...given } = o;
  const found = o.WebSocket ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
  if (!found) {
    throw new TypeError('there is no WebSocket here: give one, as in connect({ …, WebSocket }) with import { WebSocket } from "ws"');
  }
  const settings: Settings = {
    ...defaults,
    ...given,
    store: o.store === undefined ? defaultStore() : o.store,
    WebSocket: found,
    logger: o.logger ?? silent,
  };
  for (const name of Object.keys(defaults) as (keyof typeof defaults)[]) {
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
