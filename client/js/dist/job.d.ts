import { type EventOptions } from "./event.js";
import { type ChunkLink, TokenStream } from "./tokens.js";
/** What an emitted event may say; see Job.emit. */
export type EmitOptions = EventOptions;
export interface ParkOptions {
    /** After how long the job is lost, as with an expired lease. The cluster's default is seven days. */
    timeoutMs?: number;
    /** Ends the wait for the answer. */
    signal?: AbortSignal;
}
/** What a job's messages go through. */
export interface JobLink extends ChunkLink {
    /** Saves a checkpoint within seconds. */
    checkpoint(lease: string, value: unknown): void;
    /** Saves a checkpoint, and resolves when it is kept. */
    keep(lease: string, value: unknown, signal: AbortSignal): Promise<void>;
    /** Takes the job off the worker's hands. */
    park(lease: string, options: ParkOptions): Promise<void>;
}
/**
 * An event that is leased to this worker. What the handler emits and notifies
 * takes effect when it is done, all together or not at all.
 */
export declare class Job<T = any> {
    private readonly link;
    readonly eventId: string;
    readonly channel: string;
    readonly group: string;
    readonly key: string;
    readonly idempotencyKey: string;
    readonly correlationId: string;
    readonly causationId: string;
    /** Whose event it is; empty where it is no client's. */
    readonly clientId: string;
    readonly tenant: string;
    /** The run and the step whose job it is; empty where it is none's. */
    readonly runId: string;
    readonly step: string;
    /** Counts from 1. */
    readonly attempt: number;
    /** Grows with every grant of this event: give it to a store that must refuse the writes of a worker that lost its lease. */
    readonly fence: number;
    readonly leaseMs: number;
    readonly headers: Record<string, string>;
    /** What an earlier attempt saved with checkpoint; undefined for nothing. */
    readonly lastCheckpoint: any;
    /** JSON, or a Uint8Array where bytes were published. */
    readonly data: T;
    /** Ends when the lease is lost, the event is canceled or the worker stops; the reason says which. */
    readonly signal: AbortSignal;
    /** The job's lease: whoever has it can end the job, see Client.completeLease and Client.failLease. */
    readonly leaseToken: string;
    private readonly streams;
    private readonly results;
    private readonly emits;
    private readonly notifies;
    private kept;
    /** Sends an event on when the job completes. Client, key and correlation id are the job's unless options say otherwise. */
    emit(channel: string, data?: unknown, options?: EmitOptions): void;
    /** Sends a notification when the job completes, to the client whose event this is, or to another. */
    notify(name: string, data?: unknown, options?: {
        clientId?: string;
    }): void;
    /** Is kept with the completed job. */
    result(value: unknown): void;
    /** Is kept in the lineage: tokens, say, or money. */
    usage(value: unknown): void;
    /** Saves progress for the next attempt, should there be one. It is sent at once, and replicated within seconds. */
    checkpoint(value: unknown): void;
    /**
     * Runs fn if no attempt at the job has before, and resolves with its result;
     * in later attempts with the result of that time, and fn is not called. The
     * result is kept with the event, as JSON, before once resolves. An error of fn
     * is thrown as it is, and keeps nothing.
     *
     * Between the end of fn and the answer of the cluster the worker may still die:
     * for that moment fn should carry an idempotency key of its own.
     */
    once<R>(key: string, fn: () => R | Promise<R>): Promise<R>;
    /** Adds text to the job's first stream: see stream. */
    write(text: string): void;
    /**
     * What the job shows of its work, as text. The first stream has no name, and its id
     * for readers is the event's; others are called event id, slash, name.
     */
    stream(name?: string): TokenStream;
    /** A stream of bytes. */
    binaryStream(name?: string): TokenStream<Uint8Array>;
    private streamOf;
    /**
     * Takes the job off this worker's hands until somebody else ends it: give
     * leaseToken to whoever will, best before. The handler should return then: what it
     * throws, and what it emitted, changes nothing any more. An error means that the
     * job may still be this worker's.
     */
    park(options?: ParkOptions): Promise<void>;
}
