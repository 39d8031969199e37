import type { Flight } from "./flight.js";
import type { Message, Session } from "./session.js";
/** How much of a stream a reader has: so many bytes of an attempt. */
export interface StreamPosition {
    attempt: number;
    offset: number;
}
export interface ReadOptions {
    /** Where to go on, as an earlier chunk's position said it, on this or another device. Default: the beginning. */
    from?: StreamPosition;
    /** Ends reading. */
    signal?: AbortSignal;
}
/** A piece of a token stream. */
export interface Chunk<D = string> {
    /** Its id: the id of the event whose job writes it, or that, a slash and a name. */
    stream: string;
    correlationId: string;
    attempt: number;
    /** Where data begins, in bytes of the stream: of UTF-8 where it is text. */
    offset: number;
    /** Text, or a Uint8Array where the worker writes bytes; "" where there is none. */
    data: D;
    /** Behind this chunk: readStream takes it as from. */
    position: StreamPosition;
    /** What came before is void: another attempt began, or the beginning is not kept any more. */
    reset: boolean;
    /** The end of the stream, as far as the attempt goes. What the job completed with is what counts. */
    final: boolean;
}
/** One readStream: where it stands, over all sockets. */
export declare class StreamReader {
    private readonly flight;
    private readonly stream;
    private readonly o;
    private readonly dismiss;
    private session;
    /** The session answered, and not too much waits. */
    private reading;
    private over;
    private items;
    private unread;
    private attempt;
    private next;
    private failure;
    private wake;
    constructor(flight: Flight, stream: string, o: ReadOptions, dismiss: (r: StreamReader) => void);
    /** Reads in a session. */
    attach(session: Session): void;
    /** Queues a chunk as far as it is new, or a reset. */
    receive(m: Message): void;
    fail(error: Error): void;
    /** The chunks, up to the final one. */
    chunks(begin: () => void): AsyncGenerator<Chunk<any>, void, void>;
    private add;
    private take;
    /** Asks for what follows what came. */
    private ask;
    private look;
}
