import { sleep } from "./backoff.js";
import { badRequest, BatonError, SessionLostError } from "./errors.js";
import type { Flight } from "./flight.js";
import type { Heard, ListenOptions, Source } from "./listen.js";
import type { Message, Session } from "./session.js";
import type { Position } from "./store.js";
import { ackShare, notificationOf } from "./stream.js";
import type { Turns } from "./turns.js";

export interface ListenForOptions extends ListenOptions {
  /** One of the client's devices, which have a cursor each. */
  deviceId?: string;
  /** How many notifications may be out and not acknowledged. The node's default is 16. */
  window?: number;
  /** Where the stream begins at first: behind a position, or with what comes from now on. Default: the device's cursor. */
  resume?: Position | "live";
}

/** One thing of the stream, under a number of this epoch. */
interface OtherItem extends Heard {
  session: Session;
  epoch: string;
}

/** What a stream of another client needs of the connection. */
export interface OtherLink {
  flight: Flight;
  turns: Turns;
  /** How long an acknowledgement may wait for others. */
  ackDelayMs: number;
  begin(stream: OtherStream): void;
  /** Has what comes under a subscription go to the stream, until it is forgotten. */
  name(subscription: string, stream: OtherStream): void;
  forget(subscription: string): void;
  end(stream: OtherStream): void;
}

const defaultWindow = 16;
const mostIdBytes = 255;
/** How long to wait before a listen that was refused for now is asked for again. */
const leastRetryMs = 20;

export function checkListenFor(clientId: string, o: ListenForOptions): void {
  if (typeof clientId !== "string" || clientId === "" || bytes(clientId) > mostIdBytes) {
    throw badRequest(`a client id has 1 to ${mostIdBytes} bytes`);
  }
  if (bytes(o.deviceId ?? "") > mostIdBytes) {
    throw badRequest(`a device id has at most ${mostIdBytes} bytes`);
  }
  if (o.window !== undefined && !(Number.isInteger(o.window) && o.window >= 1)) {
    throw badRequest("window must be a whole number from 1");
  }
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/**
 * One listenFor: its subscription in the current session, and what came in it.
 * As with the client's own stream, the queue is of the current socket: the next
 * one begins again behind the last notification that was handled.
 */
export class OtherStream implements Source<OtherItem> {
  private session: Session | undefined;
  /** Undefined until the listen is answered. */
  private subscription: string | undefined;
  private epoch = "";
  private items: OtherItem[] = [];
  private left = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;

  /** Everything up to its seq is handled. */
  private position: Position | undefined;
  private acked: Position | undefined;
  /** Acknowledgements that the node was not told of. */
  private unsaid = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly link: OtherLink,
    private readonly clientId: string,
    private readonly o: ListenForOptions,
  ) {}

  listen(): void {
    this.link.begin(this);
  }

  /** Listens in a session, when it is this one's turn. */
  attach(session: Session): void {
    this.detach();
    this.session = session;
    this.link.turns.enter(session, () => this.ask(session));
  }

  /** The subscription ended with its socket; what waited comes again over the next. */
  detach(): void {
    this.forget();
    this.session = undefined;
    this.items = [];
  }

  fail(error: Error): void {
    this.failure ??= error;
    this.signal();
  }

  /** Queues what the node sent. */
  receive(m: Message): void {
    const session = this.session;
    if (!session) {
      return;
    }
    if (this.items.length > 2 * Math.max(this.o.window ?? defaultWindow, session.window) + 64) {
      session.end(new Error(`${session.url} sends more notifications than the window allows`));
      return;
    }
    const epoch = this.epoch;
    switch (m.type) {
      case "notify":
        this.items.push({ session, epoch, seq: m.seq, notification: notificationOf(m, () => this.ack(epoch, m.seq)) });
        break;
      case "gap":
        this.items.push({ session, epoch, seq: m.to, gap: { from: m.from, to: m.to, reason: m.reason } });
        break;
      default:
        this.items.push({ session, epoch, seq: m.seq });
    }
    this.signal();
  }

  /** It stays in the queue until done. */
  async next(quit: AbortSignal): Promise<OtherItem | undefined> {
    for (;;) {
      while (this.items[0] && this.handled(this.items[0])) {
        this.items.shift();
      }
      if (quit.aborted) {
        return undefined;
      }
      if (this.failure) {
        throw this.failure;
      }
      if (this.items[0]) {
        return this.items[0];
      }
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  done(item: OtherItem): void {
    if (this.items[0] === item) {
      this.items.shift();
    }
    if (item.gap?.reason === "epoch") {
      return; // The numbers begin anew; what the gap names is of the old ones.
    }
    if (this.position?.epoch !== item.epoch) {
      this.position = { epoch: item.epoch, seq: item.seq };
    } else {
      this.position.seq = Math.max(this.position.seq, item.seq);
    }
  }

  /** Acknowledges everything up to seq of the epoch. */
  ack(epoch: string, seq: number): void {
    if (this.left || (this.position && this.position.epoch !== epoch)) {
      return; // Of a stream that is no more.
    }
    this.acked = { epoch, seq: this.acked?.epoch === epoch ? Math.max(this.acked.seq, seq) : seq };
    this.unsaid++;
    if (this.unsaid >= (this.o.window ?? defaultWindow) / ackShare) {
      this.sayAck();
    } else {
      this.timer ??= setTimeout(() => this.sayAck(), this.link.ackDelayMs);
    }
  }

  /** Sends what waits, before a goodbye. */
  settle(): void {
    if (this.unsaid > 0) {
      this.sayAck();
    }
  }

  /** Ends the subscription, after the last acknowledgement. */
  leave(): void {
    this.settle();
    this.left = true;
    this.items = [];
    this.unlisten();
    this.link.end(this);
  }

  /** Has next look again. */
  signal(): void {
    this.wake?.();
    this.wake = undefined;
  }

  /** Asks for what comes behind the last notification that was handled, until that is answered for good. */
  private async ask(session: Session): Promise<void> {
    const { deviceId, window, resume } = this.o;
    while (this.session === session && !this.left && !this.failure) {
      try {
        await this.link.flight.askOnce(
          { type: "listen", client_id: this.clientId, device_id: deviceId, window, resume: this.position ?? resume },
          (ok) => this.began(ok),
        );
        return;
      } catch (error) {
        if (error instanceof BatonError && error.retryable) {
          await sleep(Math.max(error.retryAfterMs, leastRetryMs));
        } else if (error instanceof SessionLostError) {
          return; // Another session will come, or none.
        } else {
          this.fail(error as Error);
        }
      }
    }
  }

  /** Takes note of the subscription, before what it brings is looked at. */
  private began(ok: Message): void {
    this.subscription = ok.subscription as string;
    this.epoch = ok.epoch;
    if (this.left) {
      this.unlisten();
      return;
    }
    this.link.name(this.subscription, this);
    if (this.o.resume === "live") {
      // What comes after this moment counts, on the next socket too.
      this.position ??= { epoch: ok.epoch, seq: ok.seq };
    }
    this.sayAck();
  }

  /** Sends the acknowledgement that waits for others; while there is no subscription, the next one begins with it. */
  private sayAck(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.unsaid = 0;
    if (this.subscription !== undefined && this.acked?.epoch === this.epoch) {
      this.session?.send({ type: "ack", subscription: this.subscription, seq: this.acked.seq });
    }
  }

  private unlisten(): void {
    const subscription = this.subscription;
    if (subscription !== undefined) {
      this.forget();
      // The answer is of no interest.
      this.link.flight.askOnce({ type: "unlisten", subscription }).catch(() => {});
    }
  }

  private forget(): void {
    if (this.subscription !== undefined) {
      this.link.forget(this.subscription);
      this.subscription = undefined;
    }
  }

  /** Whether a notification came before, over another socket. */
  private handled(item: OtherItem): boolean {
    const p = this.position;
    return item.notification !== undefined && p?.epoch === item.epoch && item.seq <= p.seq;
  }
}
