import { badRequest } from "./errors.js";
import { payloadFields } from "./payload.js";
import type { Session } from "./session.js";

/** How much one chunk carries at most. */
const chunkBytes = 16 << 10;
/** How much of a stream is kept, to be said again on another socket. */
const tailBytes = 64 << 10;

/** What a stream's chunks go through: the socket there is, if any. */
export interface ChunkLink {
  session(): Session | undefined;
}

/** What was said, from its offset on. */
interface Piece {
  offset: number;
  size: number;
  data: string | Uint8Array;
}

/**
 * What a job shows of its work while it is under way: the client whose event it is
 * reads along, with Client.readStream. It is best effort and outside the log: what
 * the job completes with is what counts. Its methods never wait.
 */
export class TokenStream<D extends string | Uint8Array = string> {
  private told: Session | undefined;
  private end = 0;
  private tail: Piece[] = [];
  private kept = 0;
  /** Half of a character: its other half comes with the next write. */
  private half = "";
  private closed = false;

  /** @internal */
  constructor(
    private readonly link: ChunkLink,
    private readonly lease: string,
    private readonly name: string,
    private readonly binary: boolean,
  ) {
    if (name && !/^[A-Za-z0-9._-]{1,128}$/.test(name)) {
      throw badRequest(`stream ${JSON.stringify(name)} must be 1 to 128 of letters, digits, dot, _ and -`);
    }
  }

  /** Adds to the stream. */
  write(data: D): void {
    if (typeof data !== "string" !== this.binary) {
      throw badRequest(this.binary ? "a binary stream is written as Uint8Array" : "a stream of text is written as strings");
    }
    if (!this.closed) {
      this.add(this.pieces(data, false), false);
    }
  }

  /** Says that the stream ends here; completing the job says it too. */
  close(): void {
    if (!this.closed) {
      this.add(this.pieces(this.binary ? (new Uint8Array(0) as D) : ("" as D), true), true);
      this.closed = true;
    }
  }

  /** Says the tail again over another socket, maybe of another node: what that needs of it, it takes. @internal */
  resume(session: Session | undefined): void {
    if (!session || session === this.told) {
      return;
    }
    this.told = session;
    for (const piece of this.tail) this.send(piece, false);
    if (this.closed) this.send({ offset: this.end, size: 0, data: "" }, true);
  }

  private add(pieces: Piece[], final: boolean): void {
    this.resume(this.link.session());
    for (const [i, piece] of pieces.entries()) {
      this.send(piece, final && i === pieces.length - 1);
      this.tail.push(piece);
      this.kept += piece.size;
    }
    if (final && pieces.length === 0) {
      this.send({ offset: this.end, size: 0, data: "" }, true);
    }
    while (this.kept > tailBytes) {
      this.kept -= this.tail.shift()!.size;
    }
  }

  /** What does not go out is lost to readers, who see a reset. */
  private send(piece: Piece, final: boolean): void {
    this.told?.offer({
      type: "chunk", lease: this.lease, stream: this.name || undefined, offset: piece.offset,
      ...(piece.size > 0 ? payloadFields(piece.data) : {}), final: final || undefined,
    });
  }

  /** Cuts data into what chunks carry, text between characters. */
  private pieces(data: string | Uint8Array, final: boolean): Piece[] {
    const pieces: Piece[] = [];
    const add = (part: string | Uint8Array, size: number): void => {
      if (size > 0) pieces.push({ offset: this.end, size, data: part });
      this.end += size;
    };
    if (typeof data !== "string") {
      for (let at = 0; at < data.length; at += chunkBytes) {
        const part = data.slice(at, at + chunkBytes); // A copy: it may be said again.
        add(part, part.length);
      }
      return pieces;
    }
    let text = this.half + data;
    this.half = "";
    if (!final && isHigh(text.charCodeAt(text.length - 1))) {
      this.half = text.slice(-1);
      text = text.slice(0, -1);
    }
    // A letter takes three bytes of UTF-8 at most.
    const letters = Math.floor(chunkBytes / 3);
    for (let at = 0; at < text.length; ) {
      let next = Math.min(at + letters, text.length);
      if (next < text.length && isHigh(text.charCodeAt(next - 1))) next--;
      // What is no character becomes U+FFFD, as it would on the way.
      const bytes = new TextEncoder().encode(text.slice(at, next));
      add(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes), bytes.length);
      at = next;
    }
    return pieces;
  }
}

function isHigh(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
