import type { Flight } from "./flight.js";
import type { Message, Session } from "./session.js";
/** Where following begins: with what is published from now on, with the oldest event, behind a cursor, or at a time. */
export type From = "new" | "earliest" | {
    cursor: string;
} | {
    time: Date | number;
};
export interface FollowOptions {
    /** Default "new". */
    from?: From;
    /** A follower with a name is kept by the cluster: it goes on behind the last event that it handled, whatever from says. */
    name?: string;
    /** How many events may be out and not handled. */
    window?: number;
    /** Called for what retention deleted before it came to this follower. */
    onGap?: (gap: FollowGap) => void;
    /** Ends following. */
    signal?: AbortSignal;
}
export interface FollowGap {
    reason: "trimmed";
}
/** An event of a followed channel. */
export interface FollowedEvent<T = any> {
    /** This event and all that were sent before it: from takes it. */
    cursor: string;
    eventId: string;
    clientId: string;
    tenant: string;
    time: Date;
    channel: string;
    key: string;
    idempotencyKey: string;
    correlationId: string;
    causationId: string;
    headers: Record<string, string>;
    contentType: string;
    data: T;
}
/** One follow: its subscription on the current session, and where it stands. */
export declare class Follower {
    private readonly flight;
    private readonly channel;
    private readonly o;
    private readonly dismiss;
    private session;
    private subscription;
    private items;
    /** Because too many waited. */
    private left;
    /** Of the last event that is queued or handled, and of the last one that is handled. */
    private queued;
    private cursor;
    private failure;
    private wake;
    constructor(flight: Flight, channel: string, o: FollowOptions, dismiss: (f: Follower) => void);
    attach(session: Session): void;
    receive(m: Message): void;
    fail(error: Error): void;
    /** The events; one is handled when the next one is asked for. */
    events(begin: () => void): AsyncGenerator<FollowedEvent, void, void>;
    private next;
    private handled;
    /** Where the next session is to begin: behind what was handled, else where the first one began. */
    private from;
    private subscribe;
    private unsubscribe;
    private look;
}
