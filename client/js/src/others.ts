import type { Flight } from "./flight.js";
import { type OtherLink, OtherStream } from "./otherstream.js";
import type { Message, Session } from "./session.js";
import { Turns } from "./turns.js";

/** The streams of other clients that a backend listens to. */
export class Others implements OtherLink {
  readonly turns = new Turns();
  private session: Session | undefined;
  private closed: Error | undefined;
  private readonly streams = new Set<OtherStream>();
  private readonly named = new Map<string, OtherStream>();

  constructor(
    readonly flight: Flight,
    readonly ackDelayMs: number,
  ) {}

  attach(session: Session): void {
    this.session = session;
    for (const stream of this.streams) stream.attach(session);
  }

  detach(): void {
    this.session = undefined;
    for (const stream of this.streams) stream.detach();
  }

  /** Sends the acknowledgements that wait, before a goodbye. */
  settle(): void {
    for (const stream of this.streams) stream.settle();
  }

  fail(error: Error): void {
    this.closed = error;
    for (const stream of this.streams) stream.fail(error);
  }

  /** Hands what a node sent to the stream that it is of; false where it is for none. */
  receive(m: Message): boolean {
    const stream = this.named.get(m.subscription);
    stream?.receive(m);
    return stream !== undefined;
  }

  begin(stream: OtherStream): void {
    this.streams.add(stream);
    if (this.closed) {
      stream.fail(this.closed);
    } else if (this.session) {
      stream.attach(this.session);
    }
  }

  name(subscription: string, stream: OtherStream): void {
    this.named.set(subscription, stream);
  }

  forget(subscription: string): void {
    this.named.delete(subscription);
  }

  end(stream: OtherStream): void {
    this.streams.delete(stream);
  }
}
