/**
 * Exponential backoff with full jitter: a random pause up to a bound that
 * doubles with every failure. A bound that only the slowest client reaches keeps
 * a crowd from coming back at once.
 */
export declare class Backoff {
    private readonly leastMs;
    private readonly mostMs;
    private failures;
    constructor(leastMs: number, mostMs: number);
    /** How long to wait before the next attempt. */
    pause(): number;
    succeeded(): void;
}
/** Waits, unless the signal ends it first: then it rejects with the reason. */
export declare function sleep(ms: number, signal?: AbortSignal): Promise<void>;
