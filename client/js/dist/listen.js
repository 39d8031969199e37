import { ClosedError } from "./errors.js";
/**
 * The notifications, one at a time and in order. One is done, and acknowledged,
 * when the next one is asked for: one that was being handled when the loop was
 * left comes again, unless its ack was called.
 */
export async function* notifications(stream, o) {
    const quit = o.signal ?? new AbortController().signal;
    const look = () => stream.signal();
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
            }
            else {
                o.onSynced?.(item.seq);
            }
        }
    }
    catch (error) {
        if (!(error instanceof ClosedError)) {
            throw error;
        }
    }
    finally {
        quit.removeEventListener("abort", look);
        stream.leave();
    }
}
/** A handler at work. */
export class Listener {
    /** Resolves when listening ends; rejects when the handler threw, or a node refused the client for good. */
    done;
    quit = new AbortController();
    /** @internal */
    constructor(stream, handler, o) {
        const stop = () => this.quit.abort();
        o.signal?.addEventListener("abort", stop, { once: true });
        if (o.signal?.aborted) {
            stop();
        }
        this.done = (async () => {
            try {
                for await (const n of notifications(stream, { ...o, signal: this.quit.signal })) {
                    await handler(n);
                }
            }
            finally {
                o.signal?.removeEventListener("abort", stop);
            }
        })();
    }
    /** Ends listening after the notification that is being handled. */
    stop() {
        this.quit.abort();
        return this.done;
    }
}
