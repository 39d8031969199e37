import { broadcastMessage, type BroadcastOptions, type BroadcastReceipt, broadcastReceipt } from "./broadcast.js";
import { ClosedError, errorOf } from "./errors.js";
import { eventFields, type EventOptions, type Receipt } from "./event.js";
import { Flight, Room } from "./flight.js";
import { type FollowedEvent, Follower, type FollowOptions } from "./follow.js";
import type { Job } from "./job.js";
import { type Completion, completeFields, failFields } from "./lease.js";
import { Link } from "./link.js";
import { Listener, type ListenOptions, notifications } from "./listen.js";
import { type Options, type Settings, settingsOf } from "./options.js";
import { checkListenFor, type ListenForOptions, OtherStream } from "./otherstream.js";
import { Others } from "./others.js";
import { type Presence, presenceOf } from "./presence.js";
import { type Chunk, type ReadOptions, StreamReader } from "./readstream.js";
import { Refresh, tokenOf } from "./refresh.js";
import {
  awaitRun, controlRun, listRuns, type MessageOptions, type Run, type RunAction, type RunFilter, type RunOptions, type RunPage,
  type RunRequest, sendMessage, showRun, startRun, type StartedRun,
} from "./runs.js";
import type { Message, Session } from "./session.js";
import type { Position } from "./store.js";
import { type Notification, Stream } from "./stream.js";
import { Worker, type WorkOptions } from "./worker.js";

export interface CancelOptions {
  /** Is told to who works on it, and kept in the lineage. */
  reason?: string;
  /** Ends the wait for the answer. */
  signal?: AbortSignal;
}

/** What the client calls itself in hello. */
export const version = "0.1";

/**
 * Connects to one of the nodes, and resolves once it has said welcome. From then
 * on the client reconnects for ever, to any node it was given or has learned of,
 * until close, or until a node refuses it for good. Rejects with RejectedError
 * when a node refuses for good, and with ConnectError when none could be reached
 * before signal or connectAttempts ended.
 */
export async function connect(options: Options): Promise<Client> {
  const client = new Client(settingsOf(options));
  await client.open(options.signal);
  return client;
}

/** A connection to a cluster that outlives its sockets. */
export class Client {
  /** Resolves when the client is of no use any more, with why: ClosedError or RejectedError. */
  readonly done: Promise<Error>;

  private readonly flight = new Flight();
  private readonly stream: Stream | undefined;
  private readonly room: Room;
  private readonly refresh: Refresh;
  private readonly link: Link;
  private readonly life = new AbortController();
  private readonly followers = new Set<Follower>();
  private readonly workers = new Set<Worker>();
  private readonly readers = new Set<StreamReader>();
  private readonly others: Others;
  private readonly prefix: string;
  private keys = 0;
  private sessions = 0;
  private session: Session | undefined;
  private closed: Error | undefined;
  private served: Promise<void> = Promise.resolve();
  private resolveDone!: (error: Error) => void;

  /** @internal */
  constructor(private readonly o: Settings) {
    this.done = new Promise((resolve) => (this.resolveDone = resolve));
    this.stream = o.clientId ? new Stream(o) : undefined;
    this.room = new Room(o.maxPending);
    this.refresh = new Refresh(this.flight, o.token, o.logger);
    this.others = new Others(this.flight, o.ackDelayMs);
    this.prefix = newPrefix();
    this.link = new Link(
      {
        hello: () => this.hello(),
        attach: (s) => this.attach(s),
        detach: () => this.detach(),
        handle: (s, m) => this.handle(s, m),
        idle: () => this.flight.idle(),
        fail: (error) => this.fail(error),
      },
      o,
    );
  }

  /** @internal */
  async open(signal?: AbortSignal): Promise<void> {
    await this.stream?.restore();
    const first = await this.link.connect(this.o.connectAttempts, signal);
    this.served = this.link.run(first, this.life.signal);
  }

  /** The name of the node connected to, empty while there is none. */
  get node(): string {
    return this.session?.node ?? "";
  }

  /** Where the stream of notifications stands: what Options.resume takes. */
  get position(): Position | undefined {
    return this.stream?.where();
  }

  /**
   * Stores an event, and resolves once it is replicated to a majority. It
   * survives lost sockets, elections and refusals that may pass, and goes on
   * until signal ends it: then the event may or may not be stored.
   */
  async publish(channel: string, data: unknown, options: EventOptions & { signal?: AbortSignal } = {}): Promise<Receipt> {
    const { signal, ...event } = options;
    const fields = eventFields(channel, data, { ...event, idempotencyKey: event.idempotencyKey ?? this.newKey() });
    await this.room.enter();
    try {
      const ok = await this.flight.ask({ type: "publish", ...fields }, signal);
      return { eventId: ok.event_id, correlationId: ok.correlation_id, offset: ok.offset, duplicate: ok.duplicate === true };
    } finally {
      this.room.leave();
    }
  }

  /** The notifications in order, each acknowledged when the next one is asked for. */
  notifications(options: ListenOptions = {}): AsyncGenerator<Notification, void, void> {
    return notifications(this.needStream(), options);
  }

  /** Calls handler for one notification after the other, and acknowledges each when the handler is done. */
  onNotification(handler: (n: Notification) => unknown, options: ListenOptions = {}): Listener {
    return new Listener(this.needStream(), handler, options);
  }

  /**
   * The notifications of another client, as notifications gives the client's own: a
   * backend with sockets of its own in front receives those of each of its users over
   * one connection. Each comes once in the life of one listenFor, through lost sockets
   * and nodes, and there may be as many at a time as the node allows. The listening
   * ends with the loop. It takes a token that may be any client.
   */
  listenFor(clientId: string, options: ListenForOptions = {}): AsyncGenerator<Notification, void, void> {
    checkListenFor(clientId, options);
    return notifications(new OtherStream(this.others, clientId, options), options);
  }

  /**
   * Notifies several clients of the same, each once, and resolves when all of them have
   * it in their streams. It goes on until signal ends it: then some may have it, and the
   * same again, with its idempotencyKey, notifies the others. It takes a token of a
   * worker, of an administrator, or one that may be any client.
   */
  async broadcast(
    clientIds: Iterable<string>, name: string, data?: unknown, options: BroadcastOptions & { signal?: AbortSignal } = {},
  ): Promise<BroadcastReceipt> {
    const { signal, ...said } = options;
    const message = broadcastMessage(clientIds, name, data, { ...said, idempotencyKey: said.idempotencyKey ?? this.newKey() });
    return broadcastReceipt(await this.flight.ask(message, signal));
  }

  /**
   * Whether a client is connected, and how far each of its devices is, asked over HTTP.
   * NotFoundError says that nothing ever was for it and it is not connected.
   */
  clientPresence(clientId: string, options: { signal?: AbortSignal } = {}): Promise<Presence> {
    return presenceOf(clientId, this.o, options.signal);
  }

  /**
   * Starts a run of a workflow, over HTTP as all that concerns runs. It is safe to repeat
   * with the same idempotencyKey: it is one run.
   */
  startRun(workflow: string, data?: unknown, options: RunOptions = {}): Promise<StartedRun> {
    return startRun(this.o, workflow, data, options, this.newKey());
  }

  /** A run with what its steps did; NotFoundError where there is none, or it is another client's. */
  run(runId: string, options: { signal?: AbortSignal } = {}): Promise<Run> {
    return showRun(this.o, runId, false, options.signal);
  }

  /** A run when it has ended: its result, or its error, says how. */
  awaitRun(runId: string, options: { signal?: AbortSignal } = {}): Promise<Run> {
    return awaitRun(this.o, runId, options.signal);
  }

  /** A page of runs, the newest first: the client's own, or all of the tenant where the token may see them. */
  runs(filter: RunFilter = {}): Promise<RunPage> {
    return listRuns(this.o, filter);
  }

  /** Cancels a run, and has it compensate what its workflow says. */
  async cancelRun(runId: string, request: Pick<RunRequest, "reason" | "code" | "noCompensation" | "signal"> = {}): Promise<void> {
    await this.controlRun(runId, "cancel", request);
  }

  /** Asks something of a run, and gives its id; of a fork the new run's. */
  controlRun(runId: string, action: RunAction, request: RunRequest = {}): Promise<string> {
    return controlRun(this.o, runId, action, request, this.newKey());
  }

  /** Sends a message to the run that waits for this name and key, or will while it is kept. */
  message(name: string, key: string, data?: unknown, options: MessageOptions = {}): Promise<{ duplicate: boolean }> {
    return sendMessage(this.o, name, key, data, options, this.newKey());
  }

  /** Does the jobs of a channel, until the worker is stopped. */
  work(channel: string, handler: (job: Job) => unknown, options: WorkOptions = {}): Worker {
    const worker = new Worker(
      { flight: this.flight, logger: this.o.logger, maxMessageBytes: () => this.session?.maxMessageBytes ?? Infinity, dismiss: (w) => this.workers.delete(w) },
      channel, handler, options,
    );
    if (this.closed) {
      worker.fail(this.closed);
      return worker;
    }
    this.workers.add(worker);
    if (this.session) {
      worker.attach(this.session);
    }
    return worker;
  }

  /** Every event of a channel, whatever workers do with it. */
  follow(channel: string, options: FollowOptions = {}): AsyncGenerator<FollowedEvent, void, void> {
    const follower = new Follower(this.flight, channel, options, (f) => this.followers.delete(f));
    return follower.events(() => {
      this.followers.add(follower);
      this.begin(follower);
    });
  }

  /**
   * Reads a token stream, what a worker shows of its answer while it makes it: by the
   * eventId that publish returned, through lost sockets. It may begin before there is
   * anything, and ends behind the final chunk. It throws NotFoundError when the stream
   * is not kept any more.
   */
  readStream<D extends string | Uint8Array = string>(stream: string, options: ReadOptions = {}): AsyncGenerator<Chunk<D>, void, void> {
    const reader = new StreamReader(this.flight, stream, options, (r) => this.readers.delete(r));
    return reader.chunks(() => {
      this.readers.add(reader);
      this.begin(reader);
    });
  }

  /**
   * Completes the job of a lease that is in force, mostly a parked one, from anywhere:
   * the lease is all that it takes. Resolves with the ids of what it emitted, null for
   * an event on its way to another partition. LeaseLostError means that somebody else
   * has ended the job, or nobody did in time; the same completion again is answered as
   * the first one was.
   */
  async completeLease(lease: string, done: Completion & { signal?: AbortSignal } = {}): Promise<(string | null)[]> {
    const ok = await this.flight.ask(completeFields(lease, done), done.signal);
    return ok.events ?? [];
  }

  /** Fails the job of a lease as an error of its handler would: see JobError and PermanentError. */
  async failLease(lease: string, failure: unknown, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.flight.ask(failFields(lease, failure), options.signal);
  }

  /** Stops an event: nobody is given it any more, and who works on it is told. A client with an id cancels its own only. */
  async cancelEvent(eventId: string, options: CancelOptions = {}): Promise<void> {
    await this.flight.ask({ type: "cancel", event_id: eventId, reason: options.reason }, options.signal);
  }

  /** Stops every event of a correlation id, in all partitions, and what their jobs still emit. */
  async cancelLineage(correlationId: string, options: CancelOptions = {}): Promise<void> {
    await this.flight.ask({ type: "cancel", correlation_id: correlationId, reason: options.reason }, options.signal);
  }

  /** Says goodbye and ends everything: what was not answered fails with ClosedError, jobs go back at once. */
  async close(): Promise<void> {
    this.stream?.settle();
    this.others.settle();
    this.fail(new ClosedError());
    this.life.abort();
    await this.served;
  }

  private needStream(): Stream {
    if (!this.stream) {
      throw new TypeError("connect was given no clientId, so there is no stream to listen to");
    }
    return this.stream;
  }

  /** Lets a follower or a reader begin. */
  private begin(user: Follower | StreamReader): void {
    if (this.closed) {
      user.fail(this.closed);
    } else if (this.session) {
      user.attach(this.session);
    }
  }

  private newKey(): string {
    return this.prefix + (++this.keys).toString(36);
  }

  private async hello(): Promise<Message> {
    const o = this.o;
    const token = await tokenOf(o.token);
    return {
      type: "hello", token, tenant: o.tenant, client_id: o.clientId, device_id: o.deviceId,
      window: o.window, name: o.name ?? o.clientId, version,
      resume: this.stream?.resume(), ready: this.stream ? false : undefined,
    };
  }

  private attach(session: Session): void {
    session.number = ++this.sessions;
    this.session = session;
    this.stream?.attach(session);
    for (const w of this.workers) w.restream(session); // Before the ends of jobs, which end their streams.
    this.flight.attach(session);
    this.refresh.attach(session);
    for (const user of [...this.workers, ...this.followers, ...this.readers]) {
      user.attach(session);
    }
    this.others.attach(session);
  }

  private detach(): void {
    this.session = undefined;
    this.others.detach();
    this.refresh.detach();
    this.stream?.detach();
    this.flight.detach();
  }

  /** Ends everything that runs. */
  private fail(error: Error): void {
    if (this.closed) {
      return;
    }
    this.closed = error;
    this.flight.close(error);
    this.stream?.close(error);
    for (const user of [...this.workers, ...this.followers, ...this.readers]) {
      user.fail(error);
    }
    this.others.fail(error);
    this.resolveDone(error);
  }

  /** Every message of a node goes to whom it is for. */
  private handle(session: Session, m: Message): void {
    switch (m.type) {
      case "ok":
        this.flight.answered(m.id, m);
        break;
      case "error":
        if (m.id === undefined) this.o.logger.warn("baton: the node refused a message", errorOf(m).message);
        else this.flight.answered(m.id, undefined, errorOf(m));
        break;
      case "gap":
      case "notify":
      case "synced":
        if (m.subscription === undefined) this.stream?.receive(m);
        else if (!this.others.receive(m) && m.type === "gap") this.followed(m);
        break;
      case "job":
        if (![...this.workers].some((w) => w.accept(session, m))) {
          session.send({ type: "release", lease: m.lease }); // It has no worker any more.
        }
        break;
      case "renewed":
        for (const w of this.workers) w.renewed(m);
        break;
      case "cancel":
        for (const w of this.workers) w.cancel(m);
        break;
      case "event":
        this.followed(m);
        break;
      case "chunk":
      case "reset":
        for (const r of this.readers) r.receive(m);
        break;
    }
  }

  private followed(m: Message): void {
    for (const f of this.followers) f.receive(m);
  }
}

function newPrefix(): string {
  const random = crypto.getRandomValues(new Uint8Array(10));
  return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("") + "-";
}
