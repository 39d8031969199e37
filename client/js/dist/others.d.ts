import type { Flight } from "./flight.js";
import { type OtherLink, OtherStream } from "./otherstream.js";
import type { Message, Session } from "./session.js";
import { Turns } from "./turns.js";
/** The streams of other clients that a backend listens to. */
export declare class Others implements OtherLink {
    readonly flight: Flight;
    readonly ackDelayMs: number;
    readonly turns: Turns;
    private session;
    private closed;
    private readonly streams;
    private readonly named;
    constructor(flight: Flight, ackDelayMs: number);
    attach(session: Session): void;
    detach(): void;
    /** Sends the acknowledgements that wait, before a goodbye. */
    settle(): void;
    fail(error: Error): void;
    /** Hands what a node sent to the stream that it is of; false where it is for none. */
    receive(m: Message): boolean;
    begin(stream: OtherStream): void;
    name(subscription: string, stream: OtherStream): void;
    forget(subscription: string): void;
    end(stream: OtherStream): void;
}
