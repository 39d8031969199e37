import { type EventOptions } from "./event.js";
import type { Message } from "./session.js";
/** How a job ends that is completed from outside. All of it takes effect at once, or nothing does. */
export interface Completion {
    /** Is kept with the completed job. */
    result?: unknown;
    /** Is kept in the lineage. */
    usage?: unknown;
    /** Sent on as events: see Job.emit. */
    emit?: (EventOptions & {
        channel: string;
        data?: unknown;
    })[];
    /** Sent to clients: see Job.notify. */
    notify?: {
        name: string;
        data?: unknown;
        clientId?: string;
    }[];
}
export declare function checkLease(lease: string): void;
/** The completion as the protocol has it. */
export declare function completeFields(lease: string, done: Completion): Message;
/** The failure as the protocol has it; any error but a JobError is an ordinary failure. */
export declare function failFields(lease: string, failure: unknown): Message;
export declare function notifyFields(name: string, data: unknown, clientId?: string): Record<string, unknown>;
