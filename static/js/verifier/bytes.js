/** Bytes and their spellings: hex, base64, UTF-8, big-endian integers. */

import { sha256 } from "../vendor/noble.js";

const UTF8 = new TextEncoder();
// "fatal" refuses what is no UTF-8; "ignoreBOM" keeps a byte order mark, lest it vanish unseen
const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * H: SHA-256 of the parts, joined.
 *
 * In one stroke, not by WebCrypto, which makes each digest a promise, and which pages served without
 * TLS have not: the 36,525 steps of a whole secret chain take 60 ms so and 120 ms there (Chromium).
 *
 * @param {...Uint8Array} parts
 * @returns {Uint8Array} 32 bytes
 */
export function hash(...parts) {
  return sha256(parts.length === 1 ? parts[0] : join(...parts));
}

/** @param {...Uint8Array} parts */
export function join(...parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Tell whether two byte strings are the same; nothing here is secret, so it may stop early. */
export function equal(a, b) {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** @param {string} text without halves of surrogate pairs, see `isUnicode` */
export function utf8(text) {
  return UTF8.encode(text);
}

/**
 * Read UTF-8.
 *
 * @throws {TypeError} it is something else
 */
export function fromUtf8(bytes) {
  return STRICT_UTF8.decode(bytes);
}

/** Tell whether a text has no half of a surrogate pair, which UTF-8 could not write. */
export function isUnicode(text) {
  if (text.isWellFormed) return text.isWellFormed();
  return !/\p{Surrogate}/u.test(text); // browsers before 2023
}

/** @param {Uint8Array} bytes */
export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} hex of which the caller knows that it is lower-case hex of whole bytes */
export function fromHex(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/**
 * Read base64 that is written in the one right way (RFC 4648, section 4, with its padding and no
 * bit left over).
 *
 * @returns {Uint8Array} nothing at all where it is not
 */
export function fromBase64(text) {
  let binary;
  try {
    binary = atob(text);
  } catch {
    return new Uint8Array();
  }
  // atob passes over white space, missing padding and bits left over; btoa writes none of them
  return btoa(binary) === text
    ? Uint8Array.from(binary, (byte) => byte.charCodeAt(0))
    : new Uint8Array();
}

/** u64be: a 64-bit big-endian integer. @param {bigint} number */
export function u64be(number) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, number);
  return bytes;
}

/** Read bytes as a big-endian integer. @returns {bigint} */
export function toInteger(bytes) {
  return BigInt(`0x${toHex(bytes) || "0"}`);
}
