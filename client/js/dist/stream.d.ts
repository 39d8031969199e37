import type { Settings } from "./options.js";
import type { Message, Session } from "./session.js";
import { type Position } from "./store.js";
/** One message of a client's durable stream. */
export interface Notification<T = any> {
    seq: number;
    /** Whose stream it is, of listenFor; undefined in the client's own. */
    clientId?: string;
    name: string;
    eventId: string;
    correlationId: string;
    causationId: string;
    time: Date;
    /** It may have been seen before: by this device, on another connection. */
    redelivered: boolean;
    /** JSON, or a Uint8Array where bytes were sent. */
    data: T;
    /** Acknowledges this notification and all before it, for the device. */
    ack(): void;
}
/** The notifications from to to, both included, are not there any more. */
export interface Gap {
    from: number;
    to: number;
    /** "trimmed": retention ended first. "epoch": the cluster was restored, and numbers begin anew. */
    reason: "trimmed" | "epoch";
}
/** One thing of the stream, and where the stream stands once it is handled. */
export interface Item {
    session: Session;
    seq: number;
    notification?: Notification;
    gap?: Gap;
}
/** A notification as the protocol has it. */
export declare function notificationOf(m: Message, ack: () => void): Notification;
/** This part of the window is acknowledged without waiting for more. */
export declare const ackShare = 4;
/**
 * The client's notifications between the socket and who listens. The queue is
 * of the current socket: when that is lost, the queue is, and the next socket
 * begins again behind the last notification that was handled. So nothing is
 * kept that the node would not send again, and what comes twice is known by its
 * number.
 */
export declare class Stream {
    private readonly o;
    private session;
    private ready;
    private listening;
    private items;
    private closed;
    private wake;
    /** Everything up to its seq is handled. */
    private position;
    private acked;
    private pending;
    private timer;
    private readonly key;
    constructor(o: Settings);
    /** Reads where an earlier client stood, unless it was said. */
    restore(): Promise<void>;
    /** Where the stream stands; undefined until something was handled. */
    where(): Position | undefined;
    /** Where the next session is to begin, as hello says it. */
    resume(): Position | "live" | undefined;
    attach(next: Session): void;
    detach(): void;
    /** Begins to listen; a second one at the same time is refused. */
    listen(): void;
    leave(): void;
    close(error: Error): void;
    /** Queues what the node sent. */
    receive(m: Message): void;
    /** The next item that was not handled; undefined once quit, of which signal tells. It stays in the queue until done. */
    next(quit: AbortSignal): Promise<Item | undefined>;
    /** Takes a handled item off the queue, and keeps the position. */
    done(item: Item): void;
    /** Acknowledges everything up to seq of the epoch. */
    ack(epoch: string, seq: number): void;
    /** Sends the acknowledgement that waits for others. */
    flush(): void;
    /** Sends what waits, before a goodbye. */
    settle(): void;
    /** Whether a notification came before, over another socket. */
    private handled;
    /** Lets the node deliver, once somebody listens. */
    private sayReady;
    private save;
    /** Has next look again. */
    signal(): void;
}
