/** Any value that JSON can say. */
export type Json = null | boolean | number | string | Json[] | {
    [name: string]: Json;
};
/** The fields that carry data: bytes travel as base64, everything else as JSON. */
export declare function payloadFields(data: unknown): {
    data: unknown;
} | {
    data_base64: string;
};
/** A value that encodes as JSON; undefined is null. */
export declare function checked(value: unknown): unknown;
/** The data of a message, Uint8Array for bytes. */
export declare function payloadOf(m: Record<string, any>): any;
