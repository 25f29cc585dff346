/**
 * Signed notes (C2SP signed-note) and the checkpoints of logs (C2SP tlog-checkpoint).
 *
 * A note is a text that ends with a line feed, an empty line, and signature lines:
 *
 *     — <key name> <base64 of 4 bytes of key id and the Ed25519 signature>
 */

import { ed25519 } from "../vendor/noble.js";
import { equal, fromBase64, fromHex, hash, toHex, utf8 } from "./bytes.js";
import { rememberLast } from "./last.js";
import { HASH_BYTES } from "./merkle.js";
import { NAME } from "./records.js";

const ED25519 = 1;
const KEY_BYTES = 32;
export const KEY_ID_BYTES = 4;
/** a note has at most so many signature lines, lest it costs too much to read */
const MAX_SIGNATURES = 16;

const BASE64 = "[A-Za-z0-9+/]+={0,2}";
const VKEY = new RegExp(`^(?<name>${NAME})\\+(?<id>[0-9a-f]{8})\\+(?<key>${BASE64})$`);
/** what a key name may have: any characters but control ones, white space and the plus sign; the
 * white space of Unicode is spelt out, since \s takes the byte order mark for some */
export const NOT_SPACE = "[^\\x00- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000+]";
const SIGNATURE = new RegExp(`^— (?<name>${NOT_SPACE}+) (?<blob>${BASE64})$`, "u");
/** what no note has (C2SP signed-note): control characters but the line feed */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x09\x0b-\x1f]/;
/** a key id, and a signature of one byte at least */
const LEAST_BLOB = KEY_ID_BYTES + 1;
const NO_NOTE = "this is not a signed note: a text, an empty line, signature lines";
const CHECKPOINT = new RegExp(
  `^(?<origin>${NAME})\n(?<size>0|[1-9][0-9]{0,17})\n(?<root>[A-Za-z0-9+/]{43}=)\n$`,
);

/** A note, key or checkpoint is malformed, or its signature does not hold. */
export class NoteError extends Error {
  name = "NoteError";
}

/** A note bears no signature, or more than one, by the key in question. */
export class NotSigned extends NoteError {}

/**
 * Read a verifier key: `name+keyid+base64(0x01 || public key)`, its id the first 4 bytes of
 * SHA-256(name || "\n" || 0x01 || public key).
 *
 * @returns {{name: string, id: string, publicKey: Uint8Array}}
 * @throws {NoteError} it is none, or its id is not that of its key
 */
export function parseVkey(text) {
  const found = VKEY.exec(text)?.groups;
  const data = found ? fromBase64(found.key) : new Uint8Array();
  if (data.length !== 1 + KEY_BYTES || data[0] !== ED25519) {
    throw new NoteError("this is not a verifier key: name+keyid+base64 of an Ed25519 key");
  }
  const id = toHex(hash(utf8(`${found.name}\n`), data).subarray(0, KEY_ID_BYTES));
  if (id !== found.id) {
    throw new NoteError("the id of this verifier key is not that of its name and key");
  }
  if (!isPublicKey(data.subarray(1))) {
    throw new NoteError("this verifier key is weak: its point is not of prime order");
  }
  return { name: found.name, id, publicKey: data.subarray(1) };
}

/**
 * Read a lottery's key as somebody noted it: `VKEY@<64 hex digits of H(genesis)>`, or a key alone.
 *
 * @returns {{key: ReturnType<typeof parseVkey>, genesis: Uint8Array | null}}
 * @throws {NoteError} it is neither
 */
export function parsePin(text) {
  const at = text.indexOf("@");
  if (at < 0) return { key: parseVkey(text), genesis: null };
  const genesis = text.slice(at + 1);
  if (!/^[0-9a-f]{64}$/.test(genesis)) {
    throw new NoteError("behind the @ of a key there are 64 hex digits, in lower case");
  }
  return { key: parseVkey(text.slice(0, at)), genesis: fromHex(genesis) };
}

/** Tell whether two keys are one. */
export function isSameKey(one, other) {
  return one.name === other.name && equal(one.publicKey, other.publicKey);
}

/**
 * Return a checkpoint whose signature by a key holds. Ours have no extension lines, so none are
 * taken; signatures by other keys are passed over, as those of witnesses.
 *
 * @returns {{origin: string, size: bigint, root: Uint8Array}}
 * @throws {NoteError}
 */
export function openCheckpoint(note, key) {
  const found = CHECKPOINT.exec(openNote(note, key))?.groups;
  const root = found ? fromBase64(found.root) : new Uint8Array();
  if (root.length !== HASH_BYTES) {
    throw new NoteError("this is not a checkpoint: origin, size and root, a line each");
  }
  return { origin: found.origin, size: BigInt(found.size), root };
}

/**
 * Return the text of a note, whoever signed it.
 *
 * @throws {NoteError} the note is malformed
 */
export function noteText(note) {
  return splitNote(note).text;
}

/**
 * Return the text of a note whose signature by a key holds.
 *
 * @throws {NotSigned} it has none by this key
 * @throws {NoteError} it is malformed, or the signature does not hold
 */
export function openNote(note, key) {
  const { text, signed } = splitNote(note);
  const mine = signed
    .filter(({ name }) => name === key.name)
    .map(({ blob }) => blob)
    .filter((blob) => toHex(blob.subarray(0, KEY_ID_BYTES)) === key.id);
  if (mine.length !== 1) {
    throw new NotSigned(`this note is not signed by the key ${key.name}+${key.id}`);
  }
  if (!isSigned(key.publicKey, mine[0].subarray(KEY_ID_BYTES), utf8(text))) {
    throw new NoteError("the signature of this note does not hold");
  }
  return text;
}

/**
 * Part a note into its text and its signature lines, which nothing here has checked.
 *
 * @returns {{text: string, signed: {name: string, blob: Uint8Array}[]}} each blob a key id and a
 *   signature
 * @throws {NoteError} the note is malformed
 */
export function splitNote(note) {
  const end = note.lastIndexOf("\n\n");
  if (end < 0) throw new NoteError(NO_NOTE);
  if (CONTROL.test(note)) throw new NoteError("this note has control characters");
  const lines = note.slice(end + 2).split("\n");
  if (lines.pop() !== "" || lines.length < 1 || lines.length > MAX_SIGNATURES) {
    throw new NoteError(NO_NOTE);
  }
  const text = note.slice(0, end + 1);
  const signed = lines.map((line) => {
    const { name, blob } = SIGNATURE.exec(line)?.groups ?? { name: "", blob: "" };
    return { name, blob: fromBase64(blob) };
  });
  if (signed.some(({ blob }) => blob.length < LEAST_BLOB)) {
    throw new NoteError("a signature line of this note is malformed");
  }
  return { text, signed };
}

/**
 * Whether 32 bytes are a key that is taken: canonical, and a point of prime order. Libraries differ
 * over the others.
 */
export function isPublicKey(bytes) {
  try {
    const point = ed25519.Point.fromBytes(bytes);
    return !point.isSmallOrder() && point.isTorsionFree();
  } catch {
    return false;
  }
}

/**
 * Ed25519 of RFC 8032, section 5.1.7, R compared byte by byte. The library compares eight times the
 * points; that is the same where key and R are in the subgroup of prime order, and R is canonical.
 */
export const isSigned = rememberLast((publicKey, signature, message) => {
  try {
    return ed25519.Point.fromBytes(signature.subarray(0, KEY_BYTES)).isTorsionFree()
      && ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false; // of another length
  }
});
