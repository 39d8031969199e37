import { BatonError, SessionLostError } from "./errors.js";
import type { Flight } from "./flight.js";
import { payloadOf } from "./payload.js";
import type { Message, Session } from "./session.js";

/** How much of a stream a reader has: so many bytes of an attempt. */
export interface StreamPosition {
  attempt: number;
  offset: number;
}

export interface ReadOptions {
  /** Where to go on, as an earlier chunk's position said it, on this or another device. Default: the beginning. */
  from?: StreamPosition;
  /** Ends reading. */
  signal?: AbortSignal;
}

/** A piece of a token stream. */
export interface Chunk<D = string> {
  /** Its id: the id of the event whose job writes it, or that, a slash and a name. */
  stream: string;
  correlationId: string;
  attempt: number;
  /** Where data begins, in bytes of the stream: of UTF-8 where it is text. */
  offset: number;
  /** Text, or a Uint8Array where the worker writes bytes; "" where there is none. */
  data: D;
  /** Behind this chunk: readStream takes it as from. */
  position: StreamPosition;
  /** What came before is void: another attempt began, or the beginning is not kept any more. */
  reset: boolean;
  /** The end of the stream, as far as the attempt goes. What the job completed with is what counts. */
  final: boolean;
}

/** How much of a stream waits for its reader; beyond it the rest is asked for again when that has come so far. */
const mostUnread = 1 << 20;
/** How long to wait before a read that was refused for now is asked for again. */
const leastRetryMs = 20;

/** One readStream: where it stands, over all sockets. */
export class StreamReader {
  private session: Session | undefined;
  /** The session answered, and not too much waits. */
  private reading = false;
  private over = false;
  private items: Chunk<any>[] = [];
  private unread = 0;
  private attempt: number;
  private next: number;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;

  constructor(
    private readonly flight: Flight,
    private readonly stream: string,
    private readonly o: ReadOptions,
    private readonly dismiss: (r: StreamReader) => void,
  ) {
    this.attempt = o.from?.attempt ?? 0;
    this.next = o.from?.offset ?? 0;
  }

  /** Reads in a session. */
  attach(session: Session): void {
    this.session = session;
    this.over = false;
    void this.ask(session);
  }

  /** Queues a chunk as far as it is new, or a reset. */
  receive(m: Message): void {
    if (m.stream !== this.stream || !this.reading || this.over) {
      return;
    }
    if (m.type === "reset") {
      this.attempt = m.attempt;
      this.next = 0;
      this.add(m, 0, "", true);
      return;
    }
    const given = payloadOf(m) ?? "";
    const text = typeof given === "string";
    let bytes: Uint8Array = text ? new TextEncoder().encode(given) : given;
    const reset = (this.attempt !== 0 && m.attempt !== this.attempt) || m.offset > this.next;
    let offset: number = m.offset;
    if (!reset) {
      const skip = Math.min(this.next - Math.min(offset, this.next), bytes.length);
      if (offset + skip < this.next && !m.final) {
        return; // It came before.
      }
      bytes = bytes.subarray(skip);
      offset += skip;
    }
    if (bytes.length === 0 && !m.final && !reset) {
      return;
    }
    this.attempt = m.attempt;
    this.next = offset + bytes.length;
    this.add(m, offset, text ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) : bytes, reset, bytes.length);
  }

  fail(error: Error): void {
    this.failure ??= error;
    this.look();
  }

  /** The chunks, up to the final one. */
  async *chunks(begin: () => void): AsyncGenerator<Chunk<any>, void, void> {
    const look = (): void => this.look();
    this.o.signal?.addEventListener("abort", look);
    begin();
    try {
      for (;;) {
        const chunk = await this.take();
        if (!chunk) {
          return;
        }
        yield chunk;
        if (chunk.final) {
          return;
        }
      }
    } finally {
      this.o.signal?.removeEventListener("abort", look);
      this.dismiss(this);
    }
  }

  private add(m: Message, offset: number, data: string | Uint8Array, reset: boolean, size = 0): void {
    this.items.push({
      stream: this.stream, correlationId: m.correlation_id ?? "", attempt: this.attempt, offset, data,
      position: { attempt: this.attempt, offset: this.next }, reset, final: m.final === true,
    });
    this.unread += size;
    this.over = this.unread > mostUnread;
    this.look();
  }

  private async take(): Promise<Chunk<any> | undefined> {
    for (;;) {
      if (this.o.signal?.aborted) {
        return undefined;
      }
      const chunk = this.items.shift();
      if (chunk) {
        this.unread -= chunk.position.offset - chunk.offset;
        return chunk;
      }
      if (this.failure) {
        throw this.failure;
      }
      if (this.over && this.session) {
        this.over = false;
        this.unread = 0;
        void this.ask(this.session);
      }
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** Asks for what follows what came. */
  private async ask(session: Session): Promise<void> {
    this.reading = false;
    try {
      await this.flight.askOnce({ type: "read", stream: this.stream, attempt: this.attempt || undefined, offset: this.next }, () => {
        this.reading ||= this.session === session;
      });
    } catch (error) {
      if (error instanceof BatonError && error.retryable) {
        setTimeout(() => {
          if (this.session === session && !this.failure) void this.ask(session);
        }, Math.max(error.retryAfterMs, leastRetryMs));
      } else if (!(error instanceof SessionLostError)) {
        this.fail(error as Error);
      }
    }
  }

  private look(): void {
    this.wake?.();
    this.wake = undefined;
  }
}
