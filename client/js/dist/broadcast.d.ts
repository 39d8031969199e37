import type { Receipt } from "./event.js";
import type { Message } from "./session.js";
export interface BroadcastOptions {
    /** Makes it safe to repeat, beyond the life of this program too. Default: one made up for this call. */
    idempotencyKey?: string;
    /** Puts it into a lineage that exists. Default: the idempotency key. */
    correlationId?: string;
    /** Names the event that caused it. */
    causationId?: string;
}
/** What a broadcast came to. No event can be looked up under its id; the lineage shows who was notified. */
export type BroadcastReceipt = Omit<Receipt, "offset">;
/** How many clients a broadcast may name. */
export declare const mostBroadcastClients = 10000;
/** The broadcast as the protocol has it. */
export declare function broadcastMessage(clientIds: Iterable<string>, name: string, data: unknown, o: BroadcastOptions): Message;
export declare function broadcastReceipt(ok: Message): BroadcastReceipt;
