import { SessionLostError } from "./errors.js";
/** How much of a token's life is over when it is refreshed. */
const part = 0.8;
/** The pause before a source is asked again that gave no token, or one that was refused. */
const againMs = 5_000;
/** The longest that timers can wait. */
const longestMs = 2 ** 31 - 1;
/** Sends a fresh token before the present one is over, without reconnecting. */
export class Refresh {
    flight;
    token;
    logger;
    session;
    timer;
    constructor(flight, token, logger) {
        this.flight = flight;
        this.token = token;
        this.logger = logger;
    }
    attach(session) {
        this.session = session;
        this.after(session.tokenExpiresMs * part);
    }
    detach() {
        this.session = undefined;
        clearTimeout(this.timer);
    }
    /** 0 is never: the token is good for ever. */
    after(ms) {
        clearTimeout(this.timer);
        const session = this.session;
        if (ms > 0 && session && typeof this.token === "function") {
            this.timer = setTimeout(() => void this.refresh(session), Math.min(ms, longestMs));
        }
    }
    async refresh(session) {
        try {
            const token = await tokenOf(this.token);
            if (this.session === session) {
                const ok = await this.flight.askOnce({ type: "auth", token });
                this.after((ok.token_expires_ms ?? 0) * part);
            }
        }
        catch (error) {
            if (!(error instanceof SessionLostError)) {
                this.logger.warn("baton: no fresh token", error);
                this.after(againMs);
            }
        }
    }
}
/** The credential for the next connection. */
export async function tokenOf(token) {
    return typeof token === "function" ? await token() : token;
}
