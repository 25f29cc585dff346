/**
 * Cosignatures of witnesses (C2SP tlog-cosignature): a log's checkpoint, signed with the time.
 *
 * Those of Ed25519 keys (type 4) are checked here; those of ML-DSA-44 (type 6) are only read.
 */

import { equal, fromBase64, hash, join, toHex, toInteger, utf8 } from "./bytes.js";
import { NotMade } from "./checks.js";
import { KEY_ID_BYTES, NOT_SPACE, NoteError, isPublicKey, isSigned } from "./note.js";

const ED25519 = 4;
const ML_DSA_44 = 6;
/** bytes of a public key and of a signature */
const BYTES = new Map([[ED25519, [32, 64]], [ML_DSA_44, [1312, 2420]]]);
const TIME_BYTES = 8;
const MAX_TIME = 2n ** 63n - 1n;
/** of a key name in UTF-8, since one byte says how many there are */
const MAX_NAME_BYTES = 255;

const WITNESS_VKEY = new RegExp(
  `^(?<name>${NOT_SPACE}+)\\+(?<id>[0-9a-f]{8})\\+(?<key>[A-Za-z0-9+/]+=*)$`, "u",
);

/** @typedef {{name: string, id: Uint8Array, algorithm: number, publicKey: Uint8Array}} WitnessKey */

/**
 * Read a witness's key: `name+keyid+base64(type || public key)`.
 *
 * @returns {WitnessKey}
 * @throws {NoteError} it is none, or its id is not that of its key, or the key is weak
 */
export function parseWitnessKey(text) {
  const found = WITNESS_VKEY.exec(text)?.groups;
  const data = found ? fromBase64(found.key) : new Uint8Array();
  const [keyBytes] = BYTES.get(data[0]) ?? [];
  if (!found || data.length - 1 !== keyBytes || utf8(found.name).length > MAX_NAME_BYTES) {
    throw new NoteError(
      "this is not a witness's key: name+keyid+base64 of an Ed25519 key of type 4, "
      + "or of an ML-DSA-44 key of type 6",
    );
  }
  const id = hash(utf8(`${found.name}\n`), data).subarray(0, KEY_ID_BYTES);
  if (toHex(id) !== found.id) {
    throw new NoteError("the id of this witness's key is not that of its name and key");
  }
  const [algorithm, publicKey] = [data[0], data.subarray(1)];
  if (algorithm === ED25519 && !isPublicKey(publicKey)) {
    throw new NoteError("this witness's key is weak: its point is not of prime order");
  }
  return { name: found.name, id, algorithm, publicKey };
}

/** Tell whether a signature line says that it is by a witness: its name, and its key's id. */
export function isBy({ name, blob }, key) {
  return name === key.name && equal(blob.subarray(0, KEY_ID_BYTES), key.id);
}

/**
 * Return when a witness's signature line says that it was made, in seconds since 1970; unchecked.
 *
 * @returns {bigint}
 * @throws {NoteError} the line has another length than one by this key, or no time
 */
export function cosignedAt({ blob }, { name, algorithm }) {
  const [, signatureBytes] = BYTES.get(algorithm);
  const stamp = blob.subarray(KEY_ID_BYTES, KEY_ID_BYTES + TIME_BYTES);
  const time = toInteger(stamp);
  if (
    blob.length !== KEY_ID_BYTES + TIME_BYTES + signatureBytes || time <= 0n || time > MAX_TIME
  ) {
    throw new NoteError(`the cosignature by ${name} is malformed`);
  }
  return time;
}

/**
 * Check a witness's signature line, and return when it was made, in seconds since 1970.
 *
 * @param {{name: string, blob: Uint8Array}} line one for which `isBy` is true
 * @param {WitnessKey} key
 * @param {string} text of the checkpoint, without its signatures
 * @returns {bigint}
 * @throws {NoteError} it does not hold
 * @throws {NotMade} it is of a kind that is not checked here
 */
export function checkCosignature(line, key, text) {
  const time = cosignedAt(line, key);
  if (key.algorithm !== ED25519) {
    throw new NotMade("the signature of a witness is of a kind that cannot be checked here");
  }
  const message = join(utf8(`cosignature/v1\ntime ${time}\n`), utf8(text));
  if (!isSigned(key.publicKey, line.blob.subarray(KEY_ID_BYTES + TIME_BYTES), message)) {
    throw new NoteError(`the cosignature by ${key.name} does not hold`);
  }
  return time;
}
