import type { Settings } from "./options.js";
/** A message of the protocol: one JSON object. */
export type Message = {
    type: string;
} & Record<string, any>;
/** The server's bye: it will close the socket. */
export interface Bye {
    reason: string;
    reconnect: boolean;
    afterMs: number;
}
/** A bye came instead of welcome: the node has no place, and says when to come back. */
export declare class TurnedAway extends Error {
    readonly bye: Bye;
    readonly cause: Error;
    constructor(bye: Bye, cause: Error);
}
/** One socket, from hello to its end. */
export declare class Session {
    readonly url: string;
    private readonly socket;
    /** Counts a client's sessions. */
    number: number;
    bye: Bye | undefined;
    /** How many messages came so far: grows while the node lives. */
    heard: number;
    /** Resolves with why the socket is of no use any more. */
    readonly ended: Promise<Error>;
    private welcomed;
    private handle;
    private readonly early;
    private refusal;
    private outgoing;
    private flushing;
    private over;
    private resolveEnded;
    private constructor();
    /** Connects to a node, says hello and waits for its welcome. */
    static open(url: string, hello: Message, o: Settings, signal?: AbortSignal): Promise<Session>;
    get node(): string;
    get nodes(): string[];
    get epoch(): string;
    get seq(): number;
    get maxInFlight(): number;
    get maxMessageBytes(): number;
    /** For how long the token is good; 0 for ever. */
    get tokenExpiresMs(): number;
    get window(): number;
    /** Hands over what came since the welcome, and everything from now on. */
    start(handle: (m: Message) => void): void;
    /** Queues a message. What is queued in one turn of the event loop shares frames. */
    send(message: Message | string): void;
    /** Queues what may be lost, unless the socket is so far behind that it is better lost. */
    offer(message: Message): void;
    /** Says goodbye, and waits for the node to close. */
    part(): Promise<void>;
    /** Makes the session unusable. The first reason counts. A socket that hangs is not waited for. */
    end(reason: Error): void;
    private listen;
    private receive;
    private flush;
}
