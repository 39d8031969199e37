import type { Settings } from "./options.js";
import { payloadOf } from "./payload.js";
import type { Message, Session } from "./session.js";
import { parsePosition, type Position, storeKey } from "./store.js";

/** One message of a client's durable stream. */
export interface Notification<T = any> {
  seq: number;
  /** Whose stream it is, of listenFor; undefined in the client's own. */
  clientId?: string;
  name: string;
  eventId: string;
  correlationId: string;
  causationId: string;
  time: Date;
  /** It may have been seen before: by this device, on another connection. */
  redelivered: boolean;
  /** JSON, or a Uint8Array where bytes were sent. */
  data: T;
  /** Acknowledges this notification and all before it, for the device. */
  ack(): void;
}

/** The notifications from to to, both included, are not there any more. */
export interface Gap {
  from: number;
  to: number;
  /** "trimmed": retention ended first. "epoch": the cluster was restored, and numbers begin anew. */
  reason: "trimmed" | "epoch";
}

/** One thing of the stream, and where the stream stands once it is handled. */
export interface Item {
  session: Session;
  seq: number;
  notification?: Notification;
  gap?: Gap;
}

/** A notification as the protocol has it. */
export function notificationOf(m: Message, ack: () => void): Notification {
  return {
    seq: m.seq,
    ...(m.client_id === undefined ? {} : { clientId: m.client_id }),
    name: m.name,
    eventId: m.event_id,
    correlationId: m.correlation_id,
    causationId: m.causation_id,
    time: new Date(m.time),
    redelivered: m.redelivered === true,
    data: payloadOf(m),
    ack,
  };
}

/** This part of the window is acknowledged without waiting for more. */
export const ackShare = 4;

/**
 * The client's notifications between the socket and who listens. The queue is
 * of the current socket: when that is lost, the queue is, and the next socket
 * begins again behind the last notification that was handled. So nothing is
 * kept that the node would not send again, and what comes twice is known by its
 * number.
 */
export class Stream {
  private session: Session | undefined;
  private ready = false;
  private listening = false;
  private items: Item[] = [];
  private closed: Error | undefined;
  private wake: (() => void) | undefined;

  /** Everything up to its seq is handled. */
  private position: Position | undefined;
  private acked = 0;
  private pending = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly key: string;

  constructor(private readonly o: Settings) {
    this.key = storeKey(o.tenant ?? "", o.clientId ?? "", o.deviceId ?? "");
    if (o.resume !== "live") {
      this.position = o.resume;
    }
  }

  /** Reads where an earlier client stood, unless it was said. */
  async restore(): Promise<void> {
    if (this.o.store && this.o.resume === undefined) {
      this.position = parsePosition(await this.o.store.load(this.key));
    }
  }

  /** Where the stream stands; undefined until something was handled. */
  where(): Position | undefined {
    return this.position && { ...this.position };
  }

  /** Where the next session is to begin, as hello says it. */
  resume(): Position | "live" | undefined {
    return this.where() ?? (this.o.resume === "live" ? "live" : undefined);
  }

  attach(next: Session): void {
    this.session = next;
    this.ready = false;
    this.items = [];
    if (this.o.resume === "live" && !this.position) {
      // What comes after this moment counts, on the next socket too.
      this.position = { epoch: next.epoch, seq: next.seq };
    }
    if (this.acked > 0 && this.position?.epoch === next.epoch) {
      this.flush();
    }
    this.sayReady();
  }

  detach(): void {
    this.session = undefined;
    this.items = [];
  }

  /** Begins to listen; a second one at the same time is refused. */
  listen(): void {
    if (this.listening) {
      throw new Error("somebody listens to the notifications already");
    }
    this.listening = true;
    this.sayReady();
  }

  leave(): void {
    this.listening = false;
  }

  close(error: Error): void {
    this.closed ??= error;
    this.signal();
  }

  /** Queues what the node sent. */
  receive(m: Message): void {
    const session = this.session;
    if (!session) {
      return;
    }
    if (this.items.length > 2 * session.window + 64) {
      session.end(new Error(`${session.url} sends more notifications than the window allows`));
      return;
    }
    switch (m.type) {
      case "notify":
        this.items.push({ session, seq: m.seq, notification: notificationOf(m, () => this.ack(session.epoch, m.seq)) });
        break;
      case "gap":
        this.items.push({ session, seq: m.to, gap: { from: m.from, to: m.to, reason: m.reason } });
        break;
      default:
        this.items.push({ session, seq: m.seq });
    }
    this.signal();
  }

  /** The next item that was not handled; undefined once quit, of which signal tells. It stays in the queue until done. */
  async next(quit: AbortSignal): Promise<Item | undefined> {
    for (;;) {
      while (this.items[0] && this.handled(this.items[0])) {
        this.items.shift();
      }
      if (quit.aborted) {
        return undefined;
      }
      if (this.closed) {
        throw this.closed;
      }
      if (this.items[0]) {
        return this.items[0];
      }
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** Takes a handled item off the queue, and keeps the position. */
  done(item: Item): void {
    if (item.session === this.session && this.items[0] === item) {
      this.items.shift();
    }
    if (item.gap?.reason === "epoch") {
      return; // The numbers begin anew; what the gap names is of the old ones.
    }
    const epoch = item.session.epoch;
    if (this.position?.epoch !== epoch) {
      this.acked = 0;
      this.position = { epoch, seq: item.seq };
    } else if (item.seq > this.position.seq) {
      this.position.seq = item.seq;
    } else {
      return;
    }
    this.save({ ...this.position });
  }

  /** Acknowledges everything up to seq of the epoch. */
  ack(epoch: string, seq: number): void {
    if (this.position && this.position.epoch !== epoch) {
      return; // Of a stream that is no more.
    }
    this.acked = Math.max(this.acked, seq);
    if (this.session?.epoch !== epoch) {
      return; // The next session is told.
    }
    this.pending++;
    if (this.pending >= Math.max(this.session.window / ackShare, 1)) {
      this.flush();
    } else {
      this.timer ??= setTimeout(() => this.flush(), this.o.ackDelayMs);
    }
  }

  /** Sends the acknowledgement that waits for others. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.pending = 0;
    if (this.session && this.acked > 0) {
      this.session.send({ type: "ack", seq: this.acked });
    }
  }

  /** Sends what waits, before a goodbye. */
  settle(): void {
    if (this.pending > 0) {
      this.flush();
    }
  }

  /** Whether a notification came before, over another socket. */
  private handled(item: Item): boolean {
    const p = this.position;
    return item.notification !== undefined && p?.epoch === item.session.epoch && item.seq <= p.seq;
  }

  /** Lets the node deliver, once somebody listens. */
  private sayReady(): void {
    if (this.session && this.listening && !this.ready) {
      this.ready = true;
      this.session.send({ type: "ready" });
    }
  }

  private save(position: Position): void {
    const failed = (error: unknown): void => this.o.logger.warn("the position could not be kept", error);
    try {
      Promise.resolve(this.o.store?.save(this.key, JSON.stringify(position))).catch(failed);
    } catch (error) {
      failed(error); // A full localStorage, say: the node knows the device's cursor.
    }
  }

  /** Has next look again. */
  signal(): void {
    this.wake?.();
    this.wake = undefined;
  }
}
