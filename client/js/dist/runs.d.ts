import type { Settings } from "./options.js";
/** Where a run stands. */
export type RunState = "queued" | "running" | "paused" | "canceling" | "compensating" | "incident" | "succeeded" | "failed" | "canceled" | "compensated" | "partially_compensated";
export interface RunOptions {
    /** An alias, or a version in full. Default: prod. */
    alias?: string;
    /** Whose run it is. Default: the client's own id. */
    clientId?: string;
    /** The partition key. Default: the client's id. */
    key?: string;
    /** A start that is tried again finds the first run. Default: one made up for this call. */
    idempotencyKey?: string;
    correlationId?: string;
    headers?: Record<string, string>;
    /** The client is notified under this name when the run, and all that came of it, has ended. */
    onEnd?: string;
    priority?: number;
    signal?: AbortSignal;
}
/** A run that has begun. */
export interface StartedRun {
    runId: string;
    correlationId: string;
    /** The idempotency key had started it before. */
    duplicate: boolean;
}
/** Why a run, or a step's job, failed last. */
export interface RunError {
    step?: string;
    code: string;
    message?: string;
}
/** A job of a run's step; or a run that it called, which has a runId. */
export interface RunStep {
    step: string;
    /** How often the run came to the step before. */
    iteration: number;
    /** The number of a map's item, from 1; 0 for none. */
    item: number;
    eventId: string;
    channel: string | undefined;
    runId: string | undefined;
    state: string;
    attempts: number;
    worker: string | undefined;
    time: Date;
    startedAt: Date | undefined;
    endedAt: Date | undefined;
    error: RunError | undefined;
    usage: any;
}
/** A run of a workflow. What stands behind items is only in what run and awaitRun give. */
export interface Run {
    runId: string;
    workflow: string;
    version: string;
    state: RunState;
    /** Where it stands, or stood when it ended. */
    step: string | undefined;
    clientId: string | undefined;
    key: string;
    correlationId: string;
    startedAt: Date;
    endedAt: Date | undefined;
    timeoutAt: Date | undefined;
    usage: {
        steps: number;
        tokens: number;
        cost: number;
    };
    error: RunError | undefined;
    incident: {
        kind: string;
        step?: string;
        item?: number;
        message?: string;
    } | undefined;
    /** The run that it was forked from. */
    from: string | undefined;
    items: {
        total: number;
        succeeded: number;
        failed: number;
    } | undefined;
    /** The run that called it. */
    parentRun: string | undefined;
    idempotencyKey: string | undefined;
    waits: {
        message?: string;
        key?: string;
        dueAt?: Date;
    }[];
    vars: Record<string, any>;
    /** The last jobs of its steps; stepsTruncated where there were more. */
    steps: RunStep[];
    stepsTruncated: boolean;
    compensations: {
        step: string;
        iteration: number;
        item: number;
        state: string;
        eventId: string | undefined;
    }[];
    /** Uint8Array for bytes. */
    input: any;
    /** Undefined until there is one; Uint8Array for bytes. */
    result: any;
}
/** Which runs are meant; what is left out means any. */
export interface RunFilter {
    workflow?: string;
    /** May be the beginning of one. */
    version?: string;
    state?: RunState;
    clientId?: string;
    correlationId?: string;
    errorCode?: string;
    /** Started then or later. */
    since?: Date;
    /** Started before. */
    until?: Date;
    /** Of the page before. */
    cursor?: string;
    limit?: number;
    signal?: AbortSignal;
}
/** A page of runs, the newest first. */
export interface RunPage {
    runs: Run[];
    /** Where the next page begins; undefined where there is none. A page may be empty and lead on nevertheless. */
    cursor: string | undefined;
}
/** What may be asked of a run. Retry, skip and fail resolve an incident. */
export type RunAction = "cancel" | "pause" | "resume" | "retry" | "skip" | "fail" | "redrive" | "fork";
/** What may be said of it; each action has its own, and refuses others'. */
export interface RunRequest {
    reason?: string;
    /** Of cancel and fail. */
    code?: string;
    /** Cancels without compensating. */
    noCompensation?: boolean;
    /** Where a redrive or fork begins. */
    step?: string;
    /** The version or alias of a fork. */
    version?: string;
    /** The input of what is tried again, or the output of what is skipped. */
    data?: unknown;
    signal?: AbortSignal;
}
export interface MessageOptions {
    /** Makes it arrive once. */
    id?: string;
    /** For how long it is kept for a run that does not wait for it yet. Default: a day. */
    ttlMs?: number;
    signal?: AbortSignal;
}
export declare function startRun(o: Settings, workflow: string, data: unknown, said: RunOptions, madeKey: string): Promise<StartedRun>;
export declare function showRun(o: Settings, runId: string, wait: boolean, signal: AbortSignal | undefined): Promise<Run>;
/** Asks until the run has ended, also through changes of its leader. */
export declare function awaitRun(o: Settings, runId: string, signal: AbortSignal | undefined): Promise<Run>;
export declare function listRuns(o: Settings, want: RunFilter): Promise<RunPage>;
export declare function controlRun(o: Settings, runId: string, action: RunAction, said: RunRequest, madeKey: string): Promise<string>;
export declare function sendMessage(o: Settings, name: string, key: string, data: unknown, said: MessageOptions, madeKey: string): Promise<{
    duplicate: boolean;
}>;
