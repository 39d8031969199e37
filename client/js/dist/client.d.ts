import { type BroadcastOptions, type BroadcastReceipt } from "./broadcast.js";
import { type EventOptions, type Receipt } from "./event.js";
import { type FollowedEvent, type FollowOptions } from "./follow.js";
import type { Job } from "./job.js";
import { type Completion } from "./lease.js";
import { Listener, type ListenOptions } from "./listen.js";
import { type Options } from "./options.js";
import { type ListenForOptions } from "./otherstream.js";
import { type Presence } from "./presence.js";
import { type Chunk, type ReadOptions } from "./readstream.js";
import { type MessageOptions, type Run, type RunAction, type RunFilter, type RunOptions, type RunPage, type RunRequest, type StartedRun } from "./runs.js";
import type { Position } from "./store.js";
import { type Notification } from "./stream.js";
import { Worker, type WorkOptions } from "./worker.js";
export interface CancelOptions {
    /** Is told to who works on it, and kept in the lineage. */
    reason?: string;
    /** Ends the wait for the answer. */
    signal?: AbortSignal;
}
/** What the client calls itself in hello. */
export declare const version = "0.1";
/**
 * Connects to one of the nodes, and resolves once it has said welcome. From then
 * on the client reconnects for ever, to any node it was given or has learned of,
 * until close, or until a node refuses it for good. Rejects with RejectedError
 * when a node refuses for good, and with ConnectError when none could be reached
 * before signal or connectAttempts ended.
 */
export declare function connect(options: Options): Promise<Client>;
/** A connection to a cluster that outlives its sockets. */
export declare class Client {
    private readonly o;
    /** Resolves when the client is of no use any more, with why: ClosedError or RejectedError. */
    readonly done: Promise<Error>;
    private readonly flight;
    private readonly stream;
    private readonly room;
    private readonly refresh;
    private readonly link;
    private readonly life;
    private readonly followers;
    private readonly workers;
    private readonly readers;
    private readonly others;
    private readonly prefix;
    private keys;
    private sessions;
    private session;
    private closed;
    private served;
    private resolveDone;
    /** The name of the node connected to, empty while there is none. */
    get node(): string;
    /** Where the stream of notifications stands: what Options.resume takes. */
    get position(): Position | undefined;
    /**
     * Stores an event, and resolves once it is replicated to a majority. It
     * survives lost sockets, elections and refusals that may pass, and goes on
     * until signal ends it: then the event may or may not be stored.
     */
    publish(channel: string, data: unknown, options?: EventOptions & {
        signal?: AbortSignal;
    }): Promise<Receipt>;
    /** The notifications in order, each acknowledged when the next one is asked for. */
    notifications(options?: ListenOptions): AsyncGenerator<Notification, void, void>;
    /** Calls handler for one notification after the other, and acknowledges each when the handler is done. */
    onNotification(handler: (n: Notification) => unknown, options?: ListenOptions): Listener;
    /**
     * The notifications of another client, as notifications gives the client's own: a
     * backend with sockets of its own in front receives those of each of its users over
     * one connection. Each comes once in the life of one listenFor, through lost sockets
     * and nodes, and there may be as many at a time as the node allows. The listening
     * ends with the loop. It takes a token that may be any client.
     */
    listenFor(clientId: string, options?: ListenForOptions): AsyncGenerator<Notification, void, void>;
    /**
     * Notifies several clients of the same, each once, and resolves when all of them have
     * it in their streams. It goes on until signal ends it: then some may have it, and the
     * same again, with its idempotencyKey, notifies the others. It takes a token of a
     * worker, of an administrator, or one that may be any client.
     */
    broadcast(clientIds: Iterable<string>, name: string, data?: unknown, options?: BroadcastOptions & {
        signal?: AbortSignal;
    }): Promise<BroadcastReceipt>;
    /**
     * Whether a client is connected, and how far each of its devices is, asked over HTTP.
     * NotFoundError says that nothing ever was for it and it is not connected.
     */
    clientPresence(clientId: string, options?: {
        signal?: AbortSignal;
    }): Promise<Presence>;
    /**
     * Starts a run of a workflow, over HTTP as all that concerns runs. It is safe to repeat
     * with the same idempotencyKey: it is one run.
     */
    startRun(workflow: string, data?: unknown, options?: RunOptions): Promise<StartedRun>;
    /** A run with what its steps did; NotFoundError where there is none, or it is another client's. */
    run(runId: string, options?: {
        signal?: AbortSignal;
    }): Promise<Run>;
    /** A run when it has ended: its result, or its error, says how. */
    awaitRun(runId: string, options?: {
        signal?: AbortSignal;
    }): Promise<Run>;
    /** A page of runs, the newest first: the client's own, or all of the tenant where the token may see them. */
    runs(filter?: RunFilter): Promise<RunPage>;
    /** Cancels a run, and has it compensate what its workflow says. */
    cancelRun(runId: string, request?: Pick<RunRequest, "reason" | "code" | "noCompensation" | "signal">): Promise<void>;
    /** Asks something of a run, and gives its id; of a fork the new run's. */
    controlRun(runId: string, action: RunAction, request?: RunRequest): Promise<string>;
    /** Sends a message to the run that waits for this name and key, or will while it is kept. */
    message(name: string, key: string, data?: unknown, options?: MessageOptions): Promise<{
        duplicate: boolean;
    }>;
    /** Does the jobs of a channel, until the worker is stopped. */
    work(channel: string, handler: (job: Job) => unknown, options?: WorkOptions): Worker;
    /** Every event of a channel, whatever workers do with it. */
    follow(channel: string, options?: FollowOptions): AsyncGenerator<FollowedEvent, void, void>;
    /**
     * Reads a token stream, what a worker shows of its answer while it makes it: by the
     * eventId that publish returned, through lost sockets. It may begin before there is
     * anything, and ends behind the final chunk. It throws NotFoundError when the stream
     * is not kept any more.
     */
    readStream<D extends string | Uint8Array = string>(stream: string, options?: ReadOptions): AsyncGenerator<Chunk<D>, void, void>;
    /**
     * Completes the job of a lease that is in force, mostly a parked one, from anywhere:
     * the lease is all that it takes. Resolves with the ids of what it emitted, null for
     * an event on its way to another partition. LeaseLostError means that somebody else
     * has ended the job, or nobody did in time; the same completion again is answered as
     * the first one was.
     */
    completeLease(lease: string, done?: Completion & {
        signal?: AbortSignal;
    }): Promise<(string | null)[]>;
    /** Fails the job of a lease as an error of its handler would: see JobError and PermanentError. */
    failLease(lease: string, failure: unknown, options?: {
        signal?: AbortSignal;
    }): Promise<void>;
    /** Stops an event: nobody is given it any more, and who works on it is told. A client with an id cancels its own only. */
    cancelEvent(eventId: string, options?: CancelOptions): Promise<void>;
    /** Stops every event of a correlation id, in all partitions, and what their jobs still emit. */
    cancelLineage(correlationId: string, options?: CancelOptions): Promise<void>;
    /** Says goodbye and ends everything: what was not answered fails with ClosedError, jobs go back at once. */
    close(): Promise<void>;
    private needStream;
    /** Lets a follower or a reader begin. */
    private begin;
    private newKey;
    private hello;
    private attach;
    private detach;
    /** Ends everything that runs. */
    private fail;
    /** Every message of a node goes to whom it is for. */
    private handle;
    private followed;
}
