import type { Settings } from "./options.js";
import { type Message, Session } from "./session.js";
/** What a link needs of its client. */
export interface Served {
    hello(): Promise<Message>;
    attach(session: Session): void;
    detach(): void;
    handle(session: Session, m: Message): void;
    /** Whether the node owes no answer. */
    idle(): boolean;
    fail(error: Error): void;
}
/** Keeps a client connected. */
export declare class Link {
    private readonly client;
    private readonly o;
    private readonly nodes;
    private readonly backoff;
    constructor(client: Served, o: Settings);
    /** Tries the nodes in turn until one says welcome, for ever where attempts is 0. */
    connect(attempts: number, signal?: AbortSignal): Promise<Session>;
    /** Serves session after session until the client is closed, or refused for good. */
    run(first: Session, life: AbortSignal): Promise<void>;
    /** Serves one session to its end, and returns why it ended. */
    private serve;
    /**
     * Looks after a session, each interval: a node that hangs does not close its
     * sockets. Intervals are counted, not time: in a page that sleeps none pass.
     */
    private watch;
}
