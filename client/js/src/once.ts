import { BatonError, LeaseLostError } from "./errors.js";
import { PermanentError } from "./joberror.js";

/**
 * The results of a job's once calls, by key. They are kept in the job's
 * checkpoint, beside the worker's own progress, in the same form in all clients:
 *
 *     {"$once":{key: result, …},"$checkpoint":progress}
 *
 * so that attempts of different programs understand each other. "$once" stands
 * first, without a space: by that a checkpoint is known for one of these.
 */
export class Once {
  /** What checkpoint saved last. */
  progress: any;
  /** Those that are kept. */
  private kept: Record<string, unknown> = {};
  private readonly calls = new Map<string, Promise<any>>();
  /** Resolves when no checkpoint is on its way: none may overtake one with more in it. */
  private saving: Promise<unknown> = Promise.resolve();

  constructor(
    checkpoint: any,
    private readonly keep: (value: unknown) => Promise<void>,
  ) {
    const results = checkpoint?.["$once"];
    if (results && typeof results === "object" && !Array.isArray(results) && Object.keys(checkpoint)[0] === "$once") {
      this.kept = { ...results };
      this.progress = checkpoint["$checkpoint"];
    } else {
      this.progress = checkpoint;
    }
  }

  run<R>(key: string, fn: () => R | Promise<R>): Promise<R> {
    let call = this.calls.get(key);
    if (!call) {
      call = this.call(key, fn);
      this.calls.set(key, call);
      // One that failed may be made again.
      call.catch(() => this.calls.delete(key));
    }
    return call;
  }

  /** The checkpoint after the worker's own progress moved on. */
  move(progress: unknown): unknown {
    this.progress = progress;
    return Object.keys(this.kept).length === 0 ? progress : this.whole(this.kept);
  }

  private async call<R>(key: string, fn: () => R | Promise<R>): Promise<R> {
    if (Object.hasOwn(this.kept, key)) {
      return this.kept[key] as R;
    }
    // As JSON has it, so that the first attempt sees what later ones will.
    const value: unknown = JSON.parse(encoded(key, await fn()));
    await this.save(key, value);
    return value as R;
  }

  private save(key: string, value: unknown): Promise<void> {
    const saved = this.saving.then(async () => {
      const all = { ...this.kept, [key]: value };
      await this.keep(this.whole(all));
      this.kept = all;
    });
    this.saving = saved.catch(() => {});
    return saved.catch((error: unknown) => {
      if (error instanceof BatonError && !error.retryable && !(error instanceof LeaseLostError)) {
        throw new PermanentError(`the result of ${key} cannot be kept: ${error.message}`, { code: error.reason, cause: error });
      }
      throw error;
    });
  }

  private whole(results: Record<string, unknown>): unknown {
    return this.progress === undefined ? { $once: results } : { $once: results, $checkpoint: this.progress };
  }
}

function encoded(key: string, value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch (error) {
    throw new PermanentError(`the result of ${key} cannot be kept: ${String(error)}`, { code: "bad_result", cause: error });
  }
}
