import type { Flight } from "./flight.js";
import type { Heard, ListenOptions, Source } from "./listen.js";
import type { Message, Session } from "./session.js";
import type { Position } from "./store.js";
import type { Turns } from "./turns.js";
export interface ListenForOptions extends ListenOptions {
    /** One of the client's devices, which have a cursor each. */
    deviceId?: string;
    /** How many notifications may be out and not acknowledged. The node's default is 16. */
    window?: number;
    /** Where the stream begins at first: behind a position, or with what comes from now on. Default: the device's cursor. */
    resume?: Position | "live";
}
/** One thing of the stream, under a number of this epoch. */
interface OtherItem extends Heard {
    session: Session;
    epoch: string;
}
/** What a stream of another client needs of the connection. */
export interface OtherLink {
    flight: Flight;
    turns: Turns;
    /** How long an acknowledgement may wait for others. */
    ackDelayMs: number;
    begin(stream: OtherStream): void;
    /** Has what comes under a subscription go to the stream, until it is forgotten. */
    name(subscription: string, stream: OtherStream): void;
    forget(subscription: string): void;
    end(stream: OtherStream): void;
}
export declare function checkListenFor(clientId: string, o: ListenForOptions): void;
/**
 * One listenFor: its subscription in the current session, and what came in it.
 * As with the client's own stream, the queue is of the current socket: the next
 * one begins again behind the last notification that was handled.
 */
export declare class OtherStream implements Source<OtherItem> {
    private readonly link;
    private readonly clientId;
    private readonly o;
    private session;
    /** Undefined until the listen is answered. */
    private subscription;
    private epoch;
    private items;
    private left;
    private failure;
    private wake;
    /** Everything up to its seq is handled. */
    private position;
    private acked;
    /** Acknowledgements that the node was not told of. */
    private unsaid;
    private timer;
    constructor(link: OtherLink, clientId: string, o: ListenForOptions);
    listen(): void;
    /** Listens in a session, when it is this one's turn. */
    attach(session: Session): void;
    /** The subscription ended with its socket; what waited comes again over the next. */
    detach(): void;
    fail(error: Error): void;
    /** Queues what the node sent. */
    receive(m: Message): void;
    /** It stays in the queue until done. */
    next(quit: AbortSignal): Promise<OtherItem | undefined>;
    done(item: OtherItem): void;
    /** Acknowledges everything up to seq of the epoch. */
    ack(epoch: string, seq: number): void;
    /** Sends what waits, before a goodbye. */
    settle(): void;
    /** Ends the subscription, after the last acknowledgement. */
    leave(): void;
    /** Has next look again. */
    signal(): void;
    /** Asks for what comes behind the last notification that was handled, until that is answered for good. */
    private ask;
    /** Takes note of the subscription, before what it brings is looked at. */
    private began;
    /** Sends the acknowledgement that waits for others; while there is no subscription, the next one begins with it. */
    private sayAck;
    private unlisten;
    private forget;
    /** Whether a notification came before, over another socket. */
    private handled;
}
export {};
