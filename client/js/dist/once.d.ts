/**
 * The results of a job's once calls, by key. They are kept in the job's
 * checkpoint, beside the worker's own progress, in the same form in all clients:
 *
 *     {"$once":{key: result, …},"$checkpoint":progress}
 *
 * so that attempts of different programs understand each other. "$once" stands
 * first, without a space: by that a checkpoint is known for one of these.
 */
export declare class Once {
    private readonly keep;
    /** What checkpoint saved last. */
    progress: any;
    /** Those that are kept. */
    private kept;
    private readonly calls;
    /** Resolves when no checkpoint is on its way: none may overtake one with more in it. */
    private saving;
    constructor(checkpoint: any, keep: (value: unknown) => Promise<void>);
    run<R>(key: string, fn: () => R | Promise<R>): Promise<R>;
    /** The checkpoint after the worker's own progress moved on. */
    move(progress: unknown): unknown;
    private call;
    private save;
    private whole;
}
