import { badRequest } from "./errors.js";
import { payloadFields } from "./payload.js";
/** How much one chunk carries at most. */
const chunkBytes = 16 << 10;
/** How much of a stream is kept, to be said again on another socket. */
const tailBytes = 64 << 10;
/**
 * What a job shows of its work while it is under way: the client whose event it is
 * reads along, with Client.readStream. It is best effort and outside the log: what
 * the job completes with is what counts. Its methods never wait.
 */
export class TokenStream {
    link;
    lease;
    name;
    binary;
    told;
    end = 0;
    tail = [];
    kept = 0;
    /** Half of a character: its other half comes with the next write. */
    half = "";
    closed = false;
    /** @internal */
    constructor(link, lease, name, binary) {
        this.link = link;
        this.lease = lease;
        this.name = name;
        this.binary = binary;
        if (name && !/^[A-Za-z0-9._-]{1,128}$/.test(name)) {
            throw badRequest(`stream ${JSON.stringify(name)} must be 1 to 128 of letters, digits, dot, _ and -`);
        }
    }
    /** Adds to the stream. */
    write(data) {
        if (typeof data !== "string" !== this.binary) {
            throw badRequest(this.binary ? "a binary stream is written as Uint8Array" : "a stream of text is written as strings");
        }
        if (!this.closed) {
            this.add(this.pieces(data, false), false);
        }
    }
    /** Says that the stream ends here; completing the job says it too. */
    close() {
        if (!this.closed) {
            this.add(this.pieces(this.binary ? new Uint8Array(0) : "", true), true);
            this.closed = true;
        }
    }
    /** Says the tail again over another socket, maybe of another node: what that needs of it, it takes. @internal */
    resume(session) {
        if (!session || session === this.told) {
            return;
        }
        this.told = session;
        for (const piece of this.tail)
            this.send(piece, false);
        if (this.closed)
            this.send({ offset: this.end, size: 0, data: "" }, true);
    }
    add(pieces, final) {
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
            this.kept -= this.tail.shift().size;
        }
    }
    /** What does not go out is lost to readers, who see a reset. */
    send(piece, final) {
        this.told?.offer({
            type: "chunk", lease: this.lease, stream: this.name || undefined, offset: piece.offset,
            ...(piece.size > 0 ? payloadFields(piece.data) : {}), final: final || undefined,
        });
    }
    /** Cuts data into what chunks carry, text between characters. */
    pieces(data, final) {
        const pieces = [];
        const add = (part, size) => {
            if (size > 0)
                pieces.push({ offset: this.end, size, data: part });
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
        for (let at = 0; at < text.length;) {
            let next = Math.min(at + letters, text.length);
            if (next < text.length && isHigh(text.charCodeAt(next - 1)))
                next--;
            // What is no character becomes U+FFFD, as it would on the way.
            const bytes = new TextEncoder().encode(text.slice(at, next));
            add(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes), bytes.length);
            at = next;
        }
        return pieces;
    }
}
function isHigh(code) {
    return code >= 0xd800 && code <= 0xdbff;
}
