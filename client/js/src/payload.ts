import { badRequest } from "./errors.js";

/** Any value that JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** The fields that carry data: bytes travel as base64, everything else as JSON. */
export function payloadFields(data: unknown): { data: unknown } | { data_base64: string } {
  if (data instanceof Uint8Array) {
    return { data_base64: toBase64(data) };
  }
  if (data instanceof ArrayBuffer) {
    return { data_base64: toBase64(new Uint8Array(data)) };
  }
  return { data: checked(data) };
}

/** A value that encodes as JSON; undefined is null. */
export function checked(value: unknown): unknown {
  if (value === undefined) {
    return null;
  }
  if (typeof value === "function" || typeof value === "symbol") {
    throw badRequest(`a ${typeof value} does not encode as JSON`);
  }
  return value;
}

/** The data of a message, Uint8Array for bytes. */
export function payloadOf(m: Record<string, any>): any {
  return m.data_base64 === undefined ? m.data : fromBase64(m.data_base64);
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  // In pieces: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
