import { BatonError, ClosedError, SessionLostError } from "./errors.js";
import { checkName } from "./event.js";
import type { Flight } from "./flight.js";
import { payloadOf } from "./payload.js";
import type { Message, Session } from "./session.js";

/** Where following begins: with what is published from now on, with the oldest event, behind a cursor, or at a time. */
export type From = "new" | "earliest" | { cursor: string } | { time: Date | number };

export interface FollowOptions {
  /** Default "new". */
  from?: From;
  /** A follower with a name is kept by the cluster: it goes on behind the last event that it handled, whatever from says. */
  name?: string;
  /** How many events may be out and not handled. */
  window?: number;
  /** Called for what retention deleted before it came to this follower. */
  onGap?: (gap: FollowGap) => void;
  /** Ends following. */
  signal?: AbortSignal;
}

export interface FollowGap {
  reason: "trimmed";
}

/** An event of a followed channel. */
export interface FollowedEvent<T = any> {
  /** This event and all that were sent before it: from takes it. */
  cursor: string;
  eventId: string;
  clientId: string;
  tenant: string;
  time: Date;
  channel: string;
  key: string;
  idempotencyKey: string;
  correlationId: string;
  causationId: string;
  headers: Record<string, string>;
  contentType: string;
  data: T;
}

/**
 * How many events may wait for who follows: the socket is read all the while.
 * Beyond it the follower leaves the channel, and comes back behind the last one
 * once it has handled them.
 */
const mostWaiting = 4096;
/** How long to wait before a follow that was refused for now is asked for again. */
const leastRetryMs = 20;

/** One follow: its subscription on the current session, and where it stands. */
export class Follower {
  private session: Session | undefined;
  private subscription: string | undefined;
  private items: Message[] = [];
  /** Because too many waited. */
  private left = false;
  /** Of the last event that is queued or handled, and of the last one that is handled. */
  private queued: string | undefined;
  private cursor: string | undefined;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;

  constructor(
    private readonly flight: Flight,
    private readonly channel: string,
    private readonly o: FollowOptions,
    private readonly dismiss: (f: Follower) => void,
  ) {
    checkName("channel", channel);
  }

  attach(session: Session): void {
    this.session = session;
    this.subscription = undefined;
    this.items = []; // Of the old socket; they come again behind the last one handled.
    this.queued = this.cursor;
    void this.subscribe(session);
  }

  receive(m: Message): void {
    if (m.subscription === this.subscription && this.subscription !== undefined) {
      this.items.push(m);
      this.queued = m.cursor ?? this.queued;
      this.look();
      if (this.items.length >= mostWaiting) {
        this.left = true;
        void this.unsubscribe();
      }
    }
  }

  fail(error: Error): void {
    this.failure ??= error;
    this.look();
  }

  /** The events; one is handled when the next one is asked for. */
  async *events(begin: () => void): AsyncGenerator<FollowedEvent, void, void> {
    const look = (): void => this.look();
    this.o.signal?.addEventListener("abort", look);
    begin();
    try {
      for (;;) {
        const m = await this.next();
        if (!m) {
          return;
        }
        if (m.type === "gap") {
          this.o.onGap?.({ reason: m.reason });
        } else {
          yield eventOf(m);
          this.handled(m);
        }
      }
    } finally {
      this.o.signal?.removeEventListener("abort", look);
      this.dismiss(this);
      // The answer says that the commits are kept.
      await this.unsubscribe();
    }
  }

  private async next(): Promise<Message | undefined> {
    for (;;) {
      if (this.o.signal?.aborted || this.failure instanceof ClosedError) {
        return undefined;
      }
      if (this.failure) {
        throw this.failure;
      }
      const m = this.items.shift();
      if (m) {
        return m;
      }
      if (this.left && this.session) {
        this.left = false;
        void this.subscribe(this.session);
      }
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  private handled(m: Message): void {
    this.cursor = m.cursor;
    if (this.o.name && m.subscription === this.subscription) {
      this.session?.send({ type: "commit", subscription: m.subscription, cursor: m.cursor });
    }
  }

  /** Where the next session is to begin: behind what was handled, else where the first one began. */
  private from(): unknown {
    const from = this.queued === undefined ? this.o.from : { cursor: this.queued };
    return typeof from === "object" && "time" in from ? { time: Math.floor(Number(from.time)) } : from;
  }

  private async subscribe(session: Session): Promise<void> {
    try {
      await this.flight.askOnce(
        { type: "follow", channel: this.channel, from: this.from(), name: this.o.name, window: this.o.window },
        (ok) => {
          if (this.session === session) {
            this.subscription = ok.subscription;
            // What is stored after this moment counts, on the next socket too.
            this.cursor ??= ok.cursor;
            this.queued ??= ok.cursor;
          }
        },
      );
    } catch (error) {
      if (error instanceof BatonError && error.retryable) {
        setTimeout(() => {
          if (this.session === session && !this.failure) void this.subscribe(session);
        }, Math.max(error.retryAfterMs, leastRetryMs));
      } else if (!(error instanceof SessionLostError)) {
        this.fail(error as Error);
      }
    }
  }

  private async unsubscribe(): Promise<void> {
    const subscription = this.subscription;
    this.subscription = undefined;
    if (subscription !== undefined) {
      await this.flight.askOnce({ type: "unsubscribe", subscription }).catch(() => {});
    }
  }

  private look(): void {
    this.wake?.();
    this.wake = undefined;
  }
}

function eventOf(m: Message): FollowedEvent {
  return {
    cursor: m.cursor, eventId: m.event_id, clientId: m.client_id ?? "", tenant: m.tenant ?? "", time: new Date(m.time),
    channel: m.channel, key: m.key ?? "", idempotencyKey: m.idempotency_key ?? "", correlationId: m.correlation_id,
    causationId: m.causation_id, headers: m.headers ?? {}, contentType: m.content_type ?? "", data: payloadOf(m),
  };
}
