import type { Message } from "./session.js";
export interface BroadcastOptions {
    /** Makes it safe to repeat, beyond the life of this program too. Default: one made up for this call. */
    idempotencyKey?: string;
    /** Puts it into a lineage that exists. Default: the idempotency key. */
    correlationId?: string;
    /** Names the event that caused it. */
    causationId?: string;
}
/** What a broadcast came to. */
export interface BroadcastReceipt {
    /** No event can be looked up under it; the lineage shows who was notified. */
    eventId: string;
    correlationId: string;
    /** The idempotency key was used before, and all had it already. */
    duplicate: boolean;
}
/** How many clients a broadcast may name. */
export declare const mostBroadcastClients = 10000;
/** The broadcast as the protocol has it. */
export declare function broadcastMessage(clientIds: Iterable<string>, name: string, data: unknown, o: BroadcastOptions): Message;
export declare function broadcastReceipt(ok: Message): BroadcastReceipt;
