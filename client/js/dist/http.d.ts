import type { Settings } from "./options.js";
/** A question over HTTP. */
export interface Question {
    /** Default: GET. */
    method?: string;
    path: string;
    query?: Record<string, string | number | undefined>;
    body?: unknown;
    /** Makes what is asked take effect once, whichever nodes are asked. */
    idempotencyKey?: string;
    signal?: AbortSignal | undefined;
}
/** Asks one node after the other until one answers. */
export declare function askNodes(o: Settings, question: Question): Promise<Record<string, any>>;
