import { badRequest, BatonError } from "./errors.js";
import { askNodes } from "./http.js";
import type { Settings } from "./options.js";
import { payloadFields, payloadOf } from "./payload.js";

/** Where a run stands. */
export type RunState =
  | "queued" | "running" | "paused" | "canceling" | "compensating" | "incident"
  | "succeeded" | "failed" | "canceled" | "compensated" | "partially_compensated";

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
  usage: { steps: number; tokens: number; cost: number };
  error: RunError | undefined;
  incident: { kind: string; step?: string; item?: number; message?: string } | undefined;
  /** The run that it was forked from. */
  from: string | undefined;
  items: { total: number; succeeded: number; failed: number } | undefined;

  /** The run that called it. */
  parentRun: string | undefined;
  idempotencyKey: string | undefined;
  waits: { message?: string; key?: string; dueAt?: Date }[];
  vars: Record<string, any>;
  /** The last jobs of its steps; stepsTruncated where there were more. */
  steps: RunStep[];
  stepsTruncated: boolean;
  compensations: { step: string; iteration: number; item: number; state: string; eventId: string | undefined }[];
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

/** For how long one request waits for a run's end: less than a node may take. */
const longestWait = "10s";

export async function startRun(o: Settings, workflow: string, data: unknown, said: RunOptions, madeKey: string): Promise<StartedRun> {
  const m = await askNodes(o, {
    method: "POST", path: "/v1/runs", signal: said.signal,
    body: {
      workflow, alias: said.alias, client_id: said.clientId ?? o.clientId, key: said.key,
      idempotency_key: said.idempotencyKey ?? `~${madeKey}`, correlation_id: said.correlationId, headers: said.headers,
      on_end: said.onEnd, priority: said.priority, tenant: o.tenant, ...payloadFields(data),
    },
  });
  return { runId: m.run_id, correlationId: m.correlation_id, duplicate: m.duplicate === true };
}

export async function showRun(o: Settings, runId: string, wait: boolean, signal: AbortSignal | undefined): Promise<Run> {
  return runOf(await askNodes(o, {
    path: `/v1/runs/${encodeURIComponent(runId)}`, query: { wait: wait ? longestWait : undefined, tenant: o.tenant }, signal,
  }));
}

/** How long to let a cluster be that cannot answer now. */
const retryPauseMs = 500;

/** Asks until the run has ended, also through changes of its leader. */
export async function awaitRun(o: Settings, runId: string, signal: AbortSignal | undefined): Promise<Run> {
  for (;;) {
    try {
      const run = await showRun(o, runId, true, signal);
      if (run.endedAt !== undefined) {
        return run;
      }
    } catch (error) {
      if (!(error instanceof BatonError && error.retryable)) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(retryPauseMs, error.retryAfterMs)));
    }
  }
}

export async function listRuns(o: Settings, want: RunFilter): Promise<RunPage> {
  const m = await askNodes(o, {
    path: "/v1/runs", signal: want.signal,
    query: {
      workflow: want.workflow, version: want.version, state: want.state, client_id: want.clientId, correlation_id: want.correlationId,
      error_code: want.errorCode, since: want.since?.getTime(), until: want.until?.getTime(), cursor: want.cursor, limit: want.limit,
      tenant: o.tenant,
    },
  });
  return { runs: m.runs.map(runOf), cursor: m.cursor };
}

export async function controlRun(o: Settings, runId: string, action: RunAction, said: RunRequest, madeKey: string): Promise<string> {
  const m = await askNodes(o, {
    method: "POST", path: `/v1/runs/${encodeURIComponent(runId)}/${action}`, query: { tenant: o.tenant }, idempotencyKey: madeKey,
    signal: said.signal,
    body: {
      reason: said.reason, code: said.code, no_compensation: said.noCompensation, step: said.step, version: said.version,
      ...(said.data === undefined ? {} : payloadFields(said.data)),
    },
  });
  return m.run_id;
}

export async function sendMessage(
  o: Settings, name: string, key: string, data: unknown, said: MessageOptions, madeKey: string,
): Promise<{ duplicate: boolean }> {
  if (!name) {
    throw badRequest("a message needs a name");
  }
  const m = await askNodes(o, {
    method: "POST", path: "/v1/messages", idempotencyKey: madeKey, signal: said.signal,
    body: { name, key, id: said.id, ttl_ms: said.ttlMs, tenant: o.tenant, ...payloadFields(data) },
  });
  return { duplicate: m.duplicate === true };
}

const dateOf = (ms: number | undefined): Date | undefined => (ms ? new Date(ms) : undefined);

function runOf(m: Record<string, any>): Run {
  return {
    runId: m.run_id, workflow: m.workflow, version: m.version, state: m.state, step: m.step, clientId: m.client_id, key: m.key,
    correlationId: m.correlation_id, startedAt: new Date(m.started_at), endedAt: dateOf(m.ended_at), timeoutAt: dateOf(m.timeout_at),
    usage: m.usage, error: m.error, incident: m.incident, from: m.from, items: m.items, parentRun: m.parent_run,
    idempotencyKey: m.idempotency_key, vars: m.vars ?? {}, steps: (m.steps ?? []).map(stepOf), stepsTruncated: m.steps_truncated === true,
    waits: (m.waits ?? []).map(({ due_at: due, ...wait }: Record<string, any>) => (due ? { ...wait, dueAt: new Date(due) } : wait)),
    compensations: (m.compensations ?? []).map((c: Record<string, any>) => ({
      step: c.step, iteration: c.iteration ?? 0, item: c.item ?? 0, state: c.state, eventId: c.event_id,
    })),
    input: payloadOf({ data: m.input, data_base64: m.input_base64 }),
    result: payloadOf({ data: m.result, data_base64: m.result_base64 }),
  };
}

function stepOf(s: Record<string, any>): RunStep {
  return {
    step: s.step, iteration: s.iteration ?? 0, item: s.item ?? 0, eventId: s.event_id, channel: s.channel, runId: s.run_id,
    state: s.state, attempts: s.attempts ?? 0, worker: s.worker, time: new Date(s.time), startedAt: dateOf(s.started_at),
    endedAt: dateOf(s.ended_at), error: s.error, usage: s.usage,
  };
}
