import { badRequest, BatonError } from "./errors.js";
import { askNodes } from "./http.js";
import { payloadFields, payloadOf } from "./payload.js";
/** For how long one request waits for a run's end: less than a node may take. */
const longestWait = "10s";
export async function startRun(o, workflow, data, said, madeKey) {
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
export async function showRun(o, runId, wait, signal) {
    return runOf(await askNodes(o, {
        path: `/v1/runs/${encodeURIComponent(runId)}`, query: { wait: wait ? longestWait : undefined, tenant: o.tenant }, signal,
    }));
}
/** How long to let a cluster be that cannot answer now. */
const retryPauseMs = 500;
/** Asks until the run has ended, also through changes of its leader. */
export async function awaitRun(o, runId, signal) {
    for (;;) {
        try {
            const run = await showRun(o, runId, true, signal);
            if (run.endedAt !== undefined) {
                return run;
            }
        }
        catch (error) {
            if (!(error instanceof BatonError && error.retryable)) {
                throw error;
            }
            await new Promise((resolve) => setTimeout(resolve, Math.max(retryPauseMs, error.retryAfterMs)));
        }
    }
}
export async function listRuns(o, want) {
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
export async function controlRun(o, runId, action, said, madeKey) {
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
export async function sendMessage(o, name, key, data, said, madeKey) {
    if (!name) {
        throw badRequest("a message needs a name");
    }
    const m = await askNodes(o, {
        method: "POST", path: "/v1/messages", idempotencyKey: madeKey, signal: said.signal,
        body: { name, key, id: said.id, ttl_ms: said.ttlMs, tenant: o.tenant, ...payloadFields(data) },
    });
    return { duplicate: m.duplicate === true };
}
const dateOf = (ms) => (ms ? new Date(ms) : undefined);
function runOf(m) {
    return {
        runId: m.run_id, workflow: m.workflow, version: m.version, state: m.state, step: m.step, clientId: m.client_id, key: m.key,
        correlationId: m.correlation_id, startedAt: new Date(m.started_at), endedAt: dateOf(m.ended_at), timeoutAt: dateOf(m.timeout_at),
        usage: m.usage, error: m.error, incident: m.incident, from: m.from, items: m.items, parentRun: m.parent_run,
        idempotencyKey: m.idempotency_key, vars: m.vars ?? {}, steps: (m.steps ?? []).map(stepOf), stepsTruncated: m.steps_truncated === true,
        waits: (m.waits ?? []).map(({ due_at: due, ...wait }) => (due ? { ...wait, dueAt: new Date(due) } : wait)),
        compensations: (m.compensations ?? []).map((c) => ({
            step: c.step, iteration: c.iteration ?? 0, item: c.item ?? 0, state: c.state, eventId: c.event_id,
        })),
        input: payloadOf({ data: m.input, data_base64: m.input_base64 }),
        result: payloadOf({ data: m.result, data_base64: m.result_base64 }),
    };
}
function stepOf(s) {
    return {
        step: s.step, iteration: s.iteration ?? 0, item: s.item ?? 0, eventId: s.event_id, channel: s.channel, runId: s.run_id,
        state: s.state, attempts: s.attempts ?? 0, worker: s.worker, time: new Date(s.time), startedAt: dateOf(s.started_at),
        endedAt: dateOf(s.ended_at), error: s.error, usage: s.usage,
    };
}
