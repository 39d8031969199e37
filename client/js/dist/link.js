import { Backoff, sleep } from "./backoff.js";
import { BatonError, ClosedError, ConnectError, RejectedError } from "./errors.js";
import { Nodes } from "./nodes.js";
import { Session, TurnedAway } from "./session.js";
/**
 * A node is asked for a sign of life when it was silent for idleProbes
 * intervals, or one while it owes an answer; it is given up when the probe is
 * unanswered for idlePatience intervals, or one while it owes an answer.
 */
const idleProbes = 5;
const idlePatience = 3;
/** Keeps a client connected. */
export class Link {
    client;
    o;
    nodes;
    backoff;
    constructor(client, o) {
        this.client = client;
        this.o = o;
        this.nodes = new Nodes(o.nodes, o.inOrder ?? false);
        this.backoff = new Backoff(o.minBackoffMs, o.maxBackoffMs);
    }
    /** Tries the nodes in turn until one says welcome, for ever where attempts is 0. */
    async connect(attempts, signal) {
        let refusal;
        for (let attempt = 1;; attempt++) {
            const url = this.nodes.current();
            try {
                const session = await Session.open(url, await this.client.hello(), this.o, signal);
                this.backoff.succeeded();
                if (!this.o.givenOnly) {
                    this.nodes.learn(session.nodes);
                }
                this.o.logger.debug("baton: connected", session.node, url);
                return session;
            }
            catch (error) {
                if (error instanceof RejectedError) {
                    throw error;
                }
                const away = error instanceof TurnedAway ? error : undefined;
                const refused = away?.cause ?? error;
                if (refused instanceof BatonError) {
                    refusal = refused;
                }
                if (signal?.aborted) {
                    throw new ConnectError(this.nodes.all(), signal.reason, refusal);
                }
                this.o.logger.warn("baton: connecting failed", url, String(error));
                this.nodes.advance();
                if (attempt === attempts) {
                    throw new ConnectError(this.nodes.all(), error, refusal);
                }
                await sleep(Math.max(this.backoff.pause(), away?.bye.afterMs ?? 0), signal).catch((reason) => {
                    throw new ConnectError(this.nodes.all(), reason, refusal);
                });
            }
        }
    }
    /** Serves session after session until the client is closed, or refused for good. */
    async run(first, life) {
        try {
            for (let session = first;; session = await this.connect(0, life)) {
                const reason = await this.serve(session, life);
                if (life.aborted) {
                    return;
                }
                if (reason instanceof RejectedError) {
                    throw reason;
                }
                if (session.bye && !session.bye.reconnect) {
                    throw new RejectedError(0, session.bye.reason);
                }
                this.o.logger.warn("baton: connection lost", String(reason));
                await sleep(session.bye?.afterMs ?? 0, life);
                this.nodes.advance();
            }
        }
        catch (error) {
            this.client.fail(life.aborted ? new ClosedError() : error);
        }
    }
    /** Serves one session to its end, and returns why it ended. */
    async serve(session, life) {
        this.client.attach(session);
        session.start((m) => this.client.handle(session, m));
        const part = () => void session.part();
        life.addEventListener("abort", part, { once: true });
        if (life.aborted) {
            part();
        }
        const timer = setInterval(this.watch(session), this.o.probeIntervalMs);
        const reason = await session.ended;
        clearInterval(timer);
        life.removeEventListener("abort", part);
        this.client.detach();
        return reason;
    }
    /**
     * Looks after a session, each interval: a node that hangs does not close its
     * sockets. Intervals are counted, not time: in a page that sleeps none pass.
     */
    watch(session) {
        let heard = session.heard;
        let silent = 0;
        let probed = 0;
        return () => {
            if (session.heard !== heard) {
                heard = session.heard;
                silent = probed = 0;
                return;
            }
            silent++;
            const owes = !this.client.idle();
            if (probed > idlePatience || (probed > 0 && owes)) {
                session.end(new Error(`${session.url} was silent for too long`));
            }
            else if (probed > 0) {
                probed++;
            }
            else if (owes || silent >= idleProbes) {
                session.send({ type: "ping" });
                probed = 1;
            }
        };
    }
}
