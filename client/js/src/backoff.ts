/**
 * Exponential backoff with full jitter: a random pause up to a bound that
 * doubles with every failure. A bound that only the slowest client reaches keeps
 * a crowd from coming back at once.
 */
export class Backoff {
  private failures = 0;

  constructor(
    private readonly leastMs: number,
    private readonly mostMs: number,
  ) {}

  /** How long to wait before the next attempt. */
  pause(): number {
    const bound = Math.min(this.mostMs, this.leastMs * 2 ** Math.min(this.failures, 32));
    this.failures++;
    return Math.random() * bound;
  }

  succeeded(): void {
    this.failures = 0;
  }
}

/** Waits, unless the signal ends it first: then it rejects with the reason. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const stop = (): void => {
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
