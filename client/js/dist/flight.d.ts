import { type BatonError } from "./errors.js";
import type { Message, Session } from "./session.js";
/**
 * Every request of a client that is not answered, whatever socket it is sent
 * on. It keeps no more of them at the node than the node allows, and carries
 * them over to the next socket.
 */
export declare class Flight {
    private ids;
    private orders;
    private session;
    private counted;
    private readonly sent;
    private waiting;
    private readonly delayed;
    private closed;
    /** The next request's number. */
    id(): number;
    /** Whether nothing waits for an answer of the node. */
    idle(): boolean;
    /** Sends a request, now or when there is room, over as many sockets as it takes, and resolves with ok. */
    ask(message: Message, signal?: AbortSignal): Promise<Message>;
    /**
     * Sends a request in this session, once. now is called with ok before the
     * message behind it is looked at; the promise resolves after that.
     */
    askOnce(message: Message, now?: (ok: Message) => void): Promise<Message>;
    private submit;
    /** Ends a request whose user gave up. What was sent keeps its place until the node answers: the node counts it. */
    private abandon;
    /** Takes the node's answer: an ok, or an error. */
    answered(id: number, ok: Message | undefined, refused?: BatonError): void;
    private retryLater;
    /** Goes on over a new socket: what was sent and not answered is sent again, in its order. */
    attach(session: Session): void;
    /** Takes back what the socket will not answer any more. */
    detach(): void;
    /** Ends every request, and those to come, with error. */
    close(error: Error): void;
    /** Puts requests that were sent before back where their order says. */
    private putBack;
    /** Sends what there is room for. */
    private pump;
    private send;
    private finish;
}
/** Room for so many at a time; the others wait their turn. */
export declare class Room {
    private free;
    private readonly queue;
    constructor(free: number);
    enter(): Promise<void> | void;
    leave(): void;
}
