import type { Session } from "./session.js";
/**
 * Keeps what is asked for in a session below what the node takes at a time: a
 * backend that comes back may have thousands of listens to ask for.
 */
export declare class Turns {
    private session;
    private taken;
    private waiting;
    /**
     * Calls ask, now or when there is a turn in this session. The turn is over when
     * ask is, which must not reject. Those of the session before have none any more.
     */
    enter(session: Session, ask: () => Promise<void>): void;
    private run;
}
