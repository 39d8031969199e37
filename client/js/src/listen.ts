import { ClosedError } from "./errors.js";
import type { Gap, Notification } from "./stream.js";

export interface ListenOptions {
  /** Leaves acknowledging to Notification.ack. The node sends no more than a window of unacknowledged ones. */
  manualAck?: boolean;
  /** Called between notifications, for those that are not there any more. */
  onGap?: (gap: Gap) => void;
  /** Called when everything missed was delivered, and the stream is live. */
  onSynced?: (seq: number) => void;
  /** Ends listening. */
  signal?: AbortSignal;
}

/** One thing of a stream, and its number. */
export interface Heard {
  seq: number;
  notification?: Notification;
  gap?: Gap;
}

/** A stream that can be listened to: the client's own, or that of another client. */
export interface Source<I extends Heard> {
  listen(): void;
  /** The next item that was not handled; undefined once quit, of which signal tells. */
  next(quit: AbortSignal): Promise<I | undefined>;
  /** Takes a handled item off the queue. */
  done(item: I): void;
  leave(): void;
  signal(): void;
}

/**
 * The notifications, one at a time and in order. One is done, and acknowledged,
 * when the next one is asked for: one that was being handled when the loop was
 * left comes again, unless its ack was called.
 */
export async function* notifications<I extends Heard>(stream: Source<I>, o: ListenOptions): AsyncGenerator<Notification, void, void> {
  const quit = o.signal ?? new AbortController().signal;
  const look = (): void => stream.signal();
  stream.listen();
  quit.addEventListener("abort", look);
  try {
    for (;;) {
      const item = await stream.next(quit);
      if (!item) {
        return;
      }
      if (item.notification) {
        yield item.notification;
        stream.done(item);
        if (!o.manualAck) {
          item.notification.ack();
        }
        continue;
      }
      stream.done(item);
      if (item.gap) {
        o.onGap?.(item.gap);
      } else {
        o.onSynced?.(item.seq);
      }
    }
  } catch (error) {
    if (!(error instanceof ClosedError)) {
      throw error;
    }
  } finally {
    quit.removeEventListener("abort", look);
    stream.leave();
  }
}

/** A handler at work. */
export class Listener {
  /** Resolves when listening ends; rejects when the handler threw, or a node refused the client for good. */
  readonly done: Promise<void>;
  private readonly quit = new AbortController();

  /** @internal */
  constructor(stream: Source<Heard>, handler: (n: Notification) => unknown, o: ListenOptions) {
    const stop = (): void => this.quit.abort();
    o.signal?.addEventListener("abort", stop, { once: true });
    if (o.signal?.aborted) {
      stop();
    }
    this.done = (async () => {
      try {
        for await (const n of notifications(stream, { ...o, signal: this.quit.signal })) {
          await handler(n);
        }
      } finally {
        o.signal?.removeEventListener("abort", stop);
      }
    })();
  }

  /** Ends listening after the notification that is being handled. */
  stop(): Promise<void> {
    this.quit.abort();
    return this.done;
  }
}
