/**
 * Exponential backoff with full jitter: a random pause up to a bound that
 * doubles with every failure. A bound that only the slowest client reaches keeps
 * a crowd from coming back at once.
 */
export class Backoff {
    leastMs;
    mostMs;
    failures = 0;
    constructor(leastMs, mostMs) {
        this.leastMs = leastMs;
        this.mostMs = mostMs;
    }
    /** How long to wait before the next attempt. */
    pause() {
        const bound = Math.min(this.mostMs, this.leastMs * 2 ** Math.min(this.failures, 32));
        this.failures++;
        return Math.random() * bound;
    }
    succeeded() {
        this.failures = 0;
    }
}
/** Waits, unless the signal ends it first: then it rejects with the reason. */
export function sleep(ms, signal) {
    return new Promise((resolve, reject) => {
        if (signal?.aborted) {
            reject(signal.reason);
            return;
        }
        const stop = () => {
            clearTimeout(timer);
            reject(signal?.reason);
        };
        const timer = setTimeout(() => {
            signal?.removeEventListener("abort", stop);
            resolve();
        }, ms);
        signal?.addEventListener("abort", stop, { once: true });
    });
}
