import { type BatonError, ConnectError, errorOf } from "./errors.js";
import { webUrls } from "./nodes.js";
import type { Settings } from "./options.js";
import { tokenOf } from "./refresh.js";

/** How long one node may take. */
const httpTimeoutMs = 20_000;

/** A question over HTTP. */
export interface Question {
  /** Default: GET. */
  method?: string;
  path: string;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  /** Makes what is asked take effect once, whichever nodes are asked. */
  idempotencyKey?: string;
  signal?: AbortSignal | undefined;
}

/** Asks one node after the other until one answers. */
export async function askNodes(o: Settings, question: Question): Promise<Record<string, any>> {
  const nodes = webUrls(o.nodes);
  let refusal: BatonError | undefined;
  let last: unknown;
  for (const node of nodes) {
    const request = await requestOf(o, question);
    let response: Response;
    let body: Record<string, any>;
    try {
      response = await fetch(node + pathOf(question), request);
      body = (await response.json()) as Record<string, any>;
    } catch (error) {
      if (question.signal?.aborted) {
        throw error;
      }
      last = error;
      continue;
    }
    if (response.ok) {
      return body;
    }
    const refused = errorOf({ code: response.status, message: body.detail ?? response.statusText, ...body });
    if (!refused.retryable) {
      throw refused;
    }
    last = refusal = refused;
  }
  throw refusal ?? new ConnectError(nodes, last);
}

function pathOf({ path, query }: Question): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  const text = given.map(([name, value]) => `${name}=${encodeURIComponent(value!)}`).join("&");
  return text === "" ? path : `${path}?${text}`;
}

async function requestOf(o: Settings, { method = "GET", body, idempotencyKey, signal }: Question): Promise<RequestInit> {
  const timeout = AbortSignal.timeout(httpTimeoutMs);
  const token = await tokenOf(o.token);
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  if (idempotencyKey !== undefined) {
    headers["Idempotency-Key"] = idempotencyKey;
  }
  const request: RequestInit = { method, headers, signal: signal ? AbortSignal.any([signal, timeout]) : timeout };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  return request;
}
