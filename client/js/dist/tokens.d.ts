import type { Session } from "./session.js";
/** What a stream's chunks go through: the socket there is, if any. */
export interface ChunkLink {
    session(): Session | undefined;
}
/**
 * What a job shows of its work while it is under way: the client whose event it is
 * reads along, with Client.readStream. It is best effort and outside the log: what
 * the job completes with is what counts. Its methods never wait.
 */
export declare class TokenStream<D extends string | Uint8Array = string> {
    private readonly link;
    private readonly lease;
    private readonly name;
    private readonly binary;
    private told;
    private end;
    private tail;
    private kept;
    /** Half of a character: its other half comes with the next write. */
    private half;
    private closed;
    /** Adds to the stream. */
    write(data: D): void;
    /** Says that the stream ends here; completing the job says it too. */
    close(): void;
    private add;
    /** What does not go out is lost to readers, who see a reset. */
    private send;
    /** Cuts data into what chunks carry, text between characters. */
    private pieces;
}
