/**
 * The places a client may connect to: those it was given, and those the cluster
 * told it of.
 */
export declare class Nodes {
    private readonly given;
    private learned;
    private next;
    constructor(nodes: string | string[], inOrder: boolean);
    /** The URLs in the order they are tried. */
    all(): string[];
    /** The node whose turn it is. */
    current(): string;
    /** Passes the turn on. */
    advance(): void;
    /** Replaces what the cluster said of its nodes before, and keeps the turn where it is. */
    learn(told: string[] | undefined): void;
}
/** The addresses of nodes for HTTP, without a slash at the end. */
export declare function webUrls(nodes: string | string[]): string[];
/** The WebSocket URL of a node; a bare host:port means http. */
export declare function socketUrl(text: string): string;
