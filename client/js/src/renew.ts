import { leaseLost } from "./errors.js";
import type { Message, Session } from "./session.js";
import type { Running } from "./worker.js";

/**
 * A lease is renewed when a third of it is over, so that two renewals may be
 * lost on the way. Leases are looked at six times a term, so that those that are
 * due together go together.
 */
const renewalsPerLease = 3;
const looksPerLease = 6;
const leastIntervalMs = 10;
/** How many leases share a message. */
const renewAtOnce = 256;

/** Keeps the leases of a worker's jobs alive. */
export class Renewals {
  private session: Session | undefined;
  private interval = Infinity;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly jobs: Map<string, Running>) {}

  /** The old socket's leases may be lost: all are renewed over the new one. */
  attach(session: Session): void {
    this.session = session;
    this.renew([...this.jobs.values()].filter((running) => !running.parked));
  }

  /** Looks often enough for a lease of this length. */
  look(leaseMs: number): void {
    const every = Math.max(leaseMs / looksPerLease, leastIntervalMs);
    if (every < this.interval || this.timer === undefined) {
      this.interval = Math.min(every, this.interval);
      clearInterval(this.timer);
      this.timer = setInterval(() => this.renewDue(), this.interval);
    }
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** Takes note of new terms, and of leases that are lost. */
  renewed(m: Message): void {
    const now = performance.now();
    for (const { lease, lease_ms } of m.leases ?? []) {
      const running = this.jobs.get(lease);
      if (running) {
        running.begun = now;
        running.expires = now + lease_ms;
      }
    }
    for (const lease of m.lost ?? []) {
      const running = this.jobs.get(lease);
      if (running && !running.parking && !running.parked) {
        running.lost = true;
        running.abort.abort(leaseLost());
      }
    }
  }

  private renewDue(): void {
    const now = performance.now();
    if (this.jobs.size === 0) {
      this.stop();
      return;
    }
    const due: Running[] = [];
    for (const running of this.jobs.values()) {
      if (now > running.expires && !running.parking && !running.parked) {
        // Not known for certain: what the handler returns is still sent, and the
        // cluster decides.
        running.abort.abort(leaseLost());
      }
      if (!running.parked && now - running.begun >= running.job.leaseMs / renewalsPerLease - this.interval / 2) {
        due.push(running);
      }
    }
    this.renew(due);
  }

  private renew(due: Running[]): void {
    for (let at = 0; at < due.length; at += renewAtOnce) {
      this.session?.send({ type: "renew", leases: due.slice(at, at + renewAtOnce).map((running) => running.lease) });
    }
  }
}
