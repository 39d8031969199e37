import type { Session } from "./session.js";

/**
 * Keeps what is asked for in a session below what the node takes at a time: a
 * backend that comes back may have thousands of listens to ask for.
 */
export class Turns {
  private session: Session | undefined;
  private taken = 0;
  private waiting: (() => Promise<void>)[] = [];

  /**
   * Calls ask, now or when there is a turn in this session. The turn is over when
   * ask is, which must not reject. Those of the session before have none any more.
   */
  enter(session: Session, ask: () => Promise<void>): void {
    if (this.session !== session) {
      this.session = session;
      this.taken = 0;
      this.waiting = [];
    }
    if (this.taken < Math.max(Math.floor(session.maxInFlight / 2), 1)) {
      void this.run(session, ask);
    } else {
      this.waiting.push(ask);
    }
  }

  private async run(session: Session, ask: () => Promise<void>): Promise<void> {
    this.taken++;
    for (let next: (() => Promise<void>) | undefined = ask; next; next = this.waiting.shift()) {
      await next();
      if (this.session !== session) {
        return;
      }
    }
    this.taken--;
  }
}
