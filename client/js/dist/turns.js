/**
 * Keeps what is asked for in a session below what the node takes at a time: a
 * backend that comes back may have thousands of listens to ask for.
 */
export class Turns {
    session;
    taken = 0;
    waiting = [];
    /**
     * Calls ask, now or when there is a turn in this session. The turn is over when
     * ask is, which must not reject. Those of the session before have none any more.
     */
    enter(session, ask) {
        if (this.session !== session) {
            this.session = session;
            this.taken = 0;
            this.waiting = [];
        }
        if (this.taken < Math.max(Math.floor(session.maxInFlight / 2), 1)) {
            void this.run(session, ask);
        }
        else {
            this.waiting.push(ask);
        }
    }
    async run(session, ask) {
        this.taken++;
        for (let next = ask; next; next = this.waiting.shift()) {
            await next();
            if (this.session !== session) {
                return;
            }
        }
        this.taken--;
    }
}
